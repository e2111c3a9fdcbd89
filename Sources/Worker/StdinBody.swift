// The request's body: FCGI_STDIN, read when the extension asks for it.
// SPDX-License-Identifier: Apache-2.0

import Exchange

/// The body of a connection's current request.
///
/// It stays on its way until somebody wants it, with one exception: while the answer cannot be sent, what
/// arrives is kept here, for the other side may be one that sends everything before it reads anything.
final class StdinBody {
    /// Bytes that are kept when the answer cannot be sent. Beyond it each side waits for the other until
    /// the connection's patience ends; a server that reads while it sends never gets there.
    private static let mostAhead = 16 << 20

    private enum State {
        case arriving
        /// Its empty record has come.
        case complete
        /// FCGI_ABORT_REQUEST came instead of the rest.
        case aborted
        /// The connection brings no more.
        case lost
    }

    private let connection: FastCGIConnection
    private var state = State.arriving
    private var id: UInt16 = 0
    /// As CONTENT_LENGTH told; -1 = unknown.
    private(set) var length: Int64 = 0
    /// Bytes given to the extension.
    private var given: Int64 = 0
    /// Content that nobody has taken yet, in the connection's buffer.
    private var current = UnsafeBufferPointer<UInt8>(start: nil, count: 0)
    /// Content that came before it, kept.
    private var ahead: [UInt8] = []
    private var aheadStart = 0
    /// The extension has had its turn: the rest is dropped.
    private var isUnwanted = false

    init(_ connection: FastCGIConnection) { self.connection = connection }

    func begin(id: UInt16) {
        self.id = id
        state = .arriving
        length = 0
        given = 0
        isUnwanted = false
        forget()
    }

    func setLength(_ length: Int64) { self.length = length }
    func abort() { state = .aborted }

    var isAborted: Bool { state == .aborted }
    var isArriving: Bool { state == .arriving }

    /// Body bytes from where the last read ended; waits for some. 0 = no more, -1 = the rest never comes.
    func read(into room: UnsafeMutableRawBufferPointer) -> Int {
        if isAborted { return -1 }
        let left = length < 0 ? Int64.max : length - given
        let wanted = Int(min(left, Int64(room.count)))
        guard wanted > 0 else { return 0 }
        while ahead.isEmpty && current.isEmpty {
            switch state {
            case .arriving: advance(waits: true)
            case .complete: return length < 0 ? 0 : -1
            case .aborted, .lost: return -1
            }
        }
        let count = copy(wanted, to: room)
        given += Int64(count)
        return count
    }

    private func copy(_ wanted: Int, to room: UnsafeMutableRawBufferPointer) -> Int {
        guard ahead.isEmpty else {
            let count = min(wanted, ahead.count - aheadStart)
            ahead.withUnsafeBytes {
                room.copyMemory(from: .init(rebasing: $0[aheadStart..<aheadStart + count]))
            }
            aheadStart += count
            if aheadStart == ahead.count { forgetAhead() }
            return count
        }
        let count = min(wanted, current.count)
        room.copyMemory(
            from: UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(current)[..<count]))
        current = .init(rebasing: current[count...])
        return count
    }

    /// Whether the other side still wants the answer: it has not aborted the request, and it has not gone.
    var isWaitedFor: Bool {
        // What ends the body may still stand before an FCGI_ABORT_REQUEST.
        while isArriving, ahead.isEmpty, current.isEmpty, length >= 0, given >= length {
            guard advance(waits: false) else { break }
        }
        return !isAborted && !connection.isPeerGone(id: id, streamIsRead: state == .complete)
    }

    /// The rest will not be read: what is here is dropped, and what still comes when it has come.
    func drop() {
        isUnwanted = true
        forgetAhead()
        readAhead()
    }

    // MARK: While the answer cannot be sent

    var mayReadAhead: Bool {
        isArriving && (isUnwanted || ahead.count - aheadStart < Self.mostAhead)
    }

    /// Takes what is there, without waiting.
    func readAhead() {
        repeat {
            if !isUnwanted { ahead.append(contentsOf: current) }
            current = .init(start: nil, count: 0)
        } while mayReadAhead && advance(waits: false)
    }

    private func forget() {
        current = .init(start: nil, count: 0)
        forgetAhead()
    }

    private func forgetAhead() {
        guard !ahead.isEmpty else { return }
        ahead.removeAll(keepingCapacity: ahead.capacity <= 64 * 1024)
        aheadStart = 0
    }

    /// One step of the record stream; false when it would have to be waited for.
    @discardableResult
    private func advance(waits: Bool) -> Bool {
        guard let step = connection.next(waits: waits) else {
            state = .lost
            return true
        }
        switch step {
        case .notYet: return false
        case .content(let bytes): if !isUnwanted { current = bytes }
        case .end: break
        case .begin(let header): begin(header)
        }
        return true
    }

    private func begin(_ header: FastCGIHeader) {
        switch header.kind {
        case .stdin where header.requestID == id:
            guard header.contentLength == 0 else { return }
            state = connection.skipRecord() ? .complete : .lost
        case .abortRequest where header.requestID == id:
            state = .aborted
            _ = connection.skipRecord()
        default:
            if !connection.passOver(header) { state = .lost }
        }
    }
}
