// A response stream that keeps what HTTP/1 would put on the wire.
// SPDX-License-Identifier: Apache-2.0

import Exchange
import Handlers
import Platform
import Synchronization

/// Takes everything at once, until its client leaves.
final class WireResponse: ResponseStream {
    private let request: Request
    private var form = ResponseFraming.Form.bodyless
    private(set) var bytes: [UInt8] = []
    private(set) var isCut = false
    private let isGone = Atomic<Bool>(false)

    init(request: Request) { self.request = request }

    /// The client resets its connection. Any thread.
    func leave() { isGone.store(true, ordering: .relaxed) }

    var isConnected: Bool { !isGone.load(ordering: .relaxed) }

    func sendHead(_ head: borrowing ResponseHead, _ form: ResponseFraming.Form) -> Bool {
        self.form = form
        let closes = head.closesConnection || !request.keepsAlive || form == .untilClose
        var start: [UInt8] = []
        HTTP1Encoding.commonStart(date: [], to: &start)
        HTTP1Encoding.appendHead(
            head, form, closes ? .closed : .kept, date: Span(), commonStart: start.span,
            to: &bytes)
        return isConnected
    }

    func write(_ part: UnsafeRawBufferPointer) -> Bool {
        guard isConnected else { return false }
        if form == .chunked { HTTP1Encoding.appendChunkSize(part.count, to: &bytes) }
        bytes.append(contentsOf: part)
        if form == .chunked { bytes.append("\r\n") }
        return true
    }

    func sendFile(_ file: consuming Descriptor, offset: Int64, count: Int64) -> Bool {
        guard isConnected else { return false }
        var part = [UInt8](repeating: 0, count: Int(count))
        let number = file.number
        let got = part.withUnsafeMutableBytes {
            (try? Files.read(number, into: $0, at: offset)) ?? 0
        }
        bytes.append(contentsOf: part[..<got])
        if Int64(got) < count { isCut = true }
        return true
    }

    func finish(_ ending: ResponseFraming.Ending) {
        if ending == .lastChunk { HTTP1Encoding.appendLastChunk(to: &bytes) }
    }

    func cut() { isCut = true }
}

/// An exchange whose response is kept.
struct Wire {
    let response: WireResponse
    let exchange: Exchange

    /// `request` is a head with or without its blank line; HTTP/1.1 ones get a Host.
    init(_ request: String = "GET / HTTP/1.1", log: ErrorLog = Wire.quiet) throws {
        let parsed = Request()
        response = WireResponse(request: parsed)
        exchange = Exchange(request: parsed, response: response, errorLog: log)
        var parser = RequestParser()
        let head = request.hasSuffix("\r\n\r\n") ? request : "\(request)\r\nHost: x\r\n\r\n"
        let bytes = Array(head.utf8)
        _ = try parser.parse(bytes.span, into: parsed)
    }

    static let quiet: ErrorLog = {
        let log = ErrorLog()
        log.open(path: "/dev/null")
        return log
    }()

    var text: String { String(decoding: response.bytes, as: UTF8.self) }

    /// A body that has been received: in memory up to `memory` bytes.
    func receive(_ body: [UInt8], memory: Int = 8 << 20) {
        exchange.body.begin(.length(left: Int64(body.count)))
        var taken = 0
        _ = body.withUnsafeBytes {
            exchange.body.receive($0, taken: &taken, Self.limits(memory: memory))
        }
    }

    static func limits(
        total: Int64 = 1 << 30, memory: Int, folder: String = "/tmp", spool: Int64 = 1 << 30
    ) -> RequestBody.Limits {
        RequestBody.Limits(
            total: total, memory: memory, folder: folder, spool: ByteBudget(limit: spool))
    }
}
