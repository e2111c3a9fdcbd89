// One call of an extension: its exchange, and what of the answer has been said so far.
// SPDX-License-Identifier: Apache-2.0

import CISAPI
internal import Exchange

/// The state behind a control block. Its memory is reused by the slot's later calls.
struct Call: @unchecked Sendable {
    // because it lives inside its slot's lock: one thread at a time reaches it.
    enum Phase { case free, running, pending }

    /// How far the answer is.
    enum Stage {
        /// Nothing was said.
        case none
        /// `held` begins a head that is not complete: sent by a header call without its blank line.
        case continued
        /// `held` is what WriteClient brought before any header call: perhaps a head.
        case inBand
        /// The head is sent.
        case body
    }

    var phase = Phase.free
    var isDone = false
    var doneStatus = UInt32(HSE_STATUS_SUCCESS)
    var exchange: (any ExtensionExchange)?
    var stage = Stage.none
    var head = ResponseHead()
    /// What `head` was made of; while it is not empty, `head` still is the last call's.
    var lastHead = HeadSource()
    var held: [UInt8] = []
    /// Takes the extension's own chunk encoding off.
    var decoder: ChunkedDecoder?
    /// The answer cannot be completed: why, for the error log.
    var broken: String?
    var scratch: [UInt8] = []
    var path: [UInt8] = []
    private var memory = CallMemory()

    mutating func begin(
        _ exchange: any ExtensionExchange, _ block: UnsafeMutablePointer<EXTENSION_CONTROL_BLOCK>,
        _ handle: HCONN?
    ) {
        phase = .running
        isDone = false
        self.exchange = exchange
        stage = .none
        held.removeAll(keepingCapacity: true)
        if lastHead.isEmpty { head.reset() }
        decoder = nil
        broken = nil
        block.initialize(to: ControlBlock.template)
        block.pointee.ConnID = handle
        fillStrings(exchange, block)
        fillBody(exchange, block)
    }

    private mutating func fillStrings(
        _ exchange: any ExtensionExchange, _ block: UnsafeMutablePointer<EXTENSION_CONTROL_BLOCK>
    ) {
        let request = exchange.request
        let head = request.bytes
        scratch.removeAll(keepingCapacity: true)
        let method = appendString(head, request.methodName)
        let query = appendString(head, request.query)
        let pathInfo = scratch.count
        _ = exchange.append(.pathInfo, to: &scratch)
        scratch.append(0)
        let translated = scratch.count
        _ = exchange.append(.pathTranslated, to: &scratch)
        scratch.append(0)
        let contentType = appendString(head, request.value(of: "content-type") ?? .none)
        let strings = memory.copyStrings(scratch)
        block.pointee.lpszMethod = strings + method
        block.pointee.lpszQueryString = strings + query
        block.pointee.lpszPathInfo = strings + pathInfo
        block.pointee.lpszPathTranslated = strings + translated
        block.pointee.lpszContentType = strings + contentType
    }

    private mutating func appendString(_ head: [UInt8], _ slice: Request.Slice) -> Int {
        let start = scratch.count
        head.withUnsafeBufferPointer {
            scratch.append(contentsOf: UnsafeBufferPointer(rebasing: $0[slice.range]))
        }
        scratch.append(0)
        return start
    }

    private mutating func fillBody(
        _ exchange: any ExtensionExchange, _ block: UnsafeMutablePointer<EXTENSION_CONTROL_BLOCK>
    ) {
        let length = exchange.bodyLength
        block.pointee.cbTotalBytes =
            length < 0 ? .max : DWORD(truncatingIfNeeded: min(length, 0xffff_ffff))
        guard length != 0 else {
            block.pointee.lpbData = ControlBlock.nothing
            return
        }
        let room = memory.preload()
        var filled = 0
        let wanted =
            length < 0 ? CallMemory.preloadSize : Int(min(length, Int64(CallMemory.preloadSize)))
        while filled < wanted {
            let count = exchange.readBody(into: .init(rebasing: room[filled..<wanted]))
            if count <= 0 { break }
            filled += count
        }
        room[filled] = 0
        block.pointee.cbAvailable = DWORD(filled)
        block.pointee.lpbData = room.baseAddress!.assumingMemoryBound(to: BYTE.self)
    }

    /// The extension has ended the exchange with an HSE_STATUS_: takes its notes for the log and brings
    /// the answer to an end.
    mutating func finish(_ status: UInt32, _ block: UnsafeMutablePointer<EXTENSION_CONTROL_BLOCK>) {
        guard let exchange else { return }
        takeNotes(exchange, block)
        switch Int32(truncatingIfNeeded: status) {
        case 0, HSE_STATUS_SUCCESS, HSE_STATUS_SUCCESS_AND_KEEP_CONN, HSE_STATUS_PENDING:
            finishAnswer(exchange)
        case HSE_STATUS_ERROR:
            exchange.fail(status: 500, reason: "the extension returned HSE_STATUS_ERROR")
        default:
            exchange.fail(
                status: 500, reason: "the extension returned the unknown status \(status)")
        }
    }

    private mutating func finishAnswer(_ exchange: any ExtensionExchange) {
        if broken == nil { flushHeld() }
        if let broken {
            exchange.fail(status: 500, reason: broken)
        } else if stage == .none {
            exchange.fail(
                status: 500, reason: "the extension returned success without any response")
        } else if let decoder, !decoder.isDone, mayHaveBody {
            exchange.fail(
                status: 500, reason: "the extension ended its response before the last chunk")
        }
    }

    private var mayHaveBody: Bool {
        exchange?.request.method != .head && head.status != 204 && head.status != 304
    }

    private func takeNotes(
        _ exchange: any ExtensionExchange, _ block: UnsafeMutablePointer<EXTENSION_CONTROL_BLOCK>
    ) {
        let status = block.pointee.dwHttpStatusCode
        if status != 200 && (100...999).contains(status) { exchange.noteStatus(Int(status)) }
        let room = UnsafeRawBufferPointer(
            start: UnsafeRawPointer(block) + ControlBlock.logDataOffset,
            count: Int(HSE_LOG_BUFFER_LEN))
        let text = UnsafeRawBufferPointer(rebasing: room.prefix { $0 != 0 })
        if !text.isEmpty { exchange.appendLog(text) }
    }
}

/// What stays the same in every control block.
enum ControlBlock {
    nonisolated(unsafe) static let nothing: UnsafeMutablePointer<BYTE> = {
        // because it holds one zero, which nobody has a reason to change.
        let byte = UnsafeMutablePointer<BYTE>.allocate(capacity: 8)
        byte.initialize(repeating: 0, count: 8)
        return byte
    }()

    nonisolated(unsafe) static let template: EXTENSION_CONTROL_BLOCK = {
        // because it is never changed once it is made.
        var block = EXTENSION_CONTROL_BLOCK()
        block.cbSize = DWORD(MemoryLayout<EXTENSION_CONTROL_BLOCK>.size)
        block.dwVersion = DWORD(HSE_VERSION_MAJOR) << 16 | DWORD(HSE_VERSION_MINOR)
        block.dwHttpStatusCode = 200
        block.GetServerVariable = Callbacks.getServerVariable
        block.WriteClient = Callbacks.writeClient
        block.ReadClient = Callbacks.readClient
        block.ServerSupportFunction = Callbacks.serverSupportFunction
        return block
    }()

    static let logDataOffset = MemoryLayout<EXTENSION_CONTROL_BLOCK>.offset(of: \.lpszLogData)!
}
