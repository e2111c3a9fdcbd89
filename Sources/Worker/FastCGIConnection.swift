// One FastCGI connection as the worker sees it: records in, bytes out.
// SPDX-License-Identifier: Apache-2.0

import Exchange
internal import Platform

/// A request's begin: its id, and whether the connection outlives it.
struct WorkerBegin {
    let id: UInt16
    let keepsConnection: Bool
}

/// Reads records from a blocking socket into one buffer, and sends.
///
/// The two directions end apart: the other side may close its own and still wait for the answer. Malformed
/// records end both.
final class FastCGIConnection {
    /// Milliseconds without a byte of a request that has begun. Between requests no clock runs: the
    /// system would wind one up for every request.
    private static let patience: Int32 = 60_000
    /// Bytes of replies that may wait for the end of a send.
    private static let mostReplies = 64 * 1024
    /// Seconds in which the peer has to close a connection that is not kept.
    private static let longestLinger = 5.0

    let socket: Int32
    /// Nothing more can be sent.
    private(set) var isBroken = false
    /// Nothing more will be received: the other side has closed its direction, or was silent within a
    /// request for too long.
    private var isOver = false
    private let shutdown: Shutdown
    private let buffer: UnsafeMutableRawBufferPointer
    private var start = 0
    private var end = 0
    private var decoder = FastCGIDecoder()
    /// Answers to records that came in the middle of a send; they follow it.
    private var replies: [UInt8] = []
    private var isSending = false
    /// Of a record that is read as a whole.
    private var content: [UInt8] = []

    init(_ socket: Int32, _ shutdown: Shutdown) {
        self.socket = socket
        self.shutdown = shutdown
        buffer = .allocate(byteCount: 64 * 1024, alignment: 16)
    }

    deinit { buffer.deallocate() }

    /// What a step of the stream is, its content still in the connection's buffer until the next step.
    enum Step {
        case begin(FastCGIHeader)
        case content(UnsafeBufferPointer<UInt8>)
        case end
        /// It has not arrived yet: only when it is not waited for.
        case notYet
    }

    /// The next step; nil when there will be none.
    func next(waits: Bool = true) -> Step? {
        while !isOver {
            let bytes = UnsafeBufferPointer(
                start: buffer.baseAddress!.assumingMemoryBound(to: UInt8.self), count: end)
            do throws(FastCGIError) {
                if let step = try decoder.next(bytes.span, &start) {
                    switch step {
                    case .begin(let header): return .begin(header)
                    case .content(let range): return .content(.init(rebasing: bytes[range]))
                    case .end: return .end
                    }
                }
            } catch {
                isBroken = true
                break
            }
            switch receive(waits: waits) {
            case .some(true): continue
            case .some(false): return .notYet
            case nil: break
            }
            break
        }
        isOver = true
        return nil
    }

    /// Waits for FCGI_BEGIN_REQUEST; answers management records meanwhile. Records of requests that have
    /// ended are passed over (FastCGI §3.3).
    func waitForRequest() -> WorkerBegin? {
        while true {
            if !hasInput && decoder.isBetweenRecords {
                guard waitForInput() else { return nil }
            }
            guard let step = next() else { return nil }
            // Else the rest of a record that the last request left unread.
            guard case .begin(let header) = step else { continue }
            if header.requestID == 0 {
                guard answerManagement(header) else { return nil }
            } else if header.kind == .beginRequest {
                guard let begin = readBegin(header) else { return nil }
                if let begin = begin.accepted { return begin }
                if begin.closes { return nil }
            } else {
                guard skipRecord() else { return nil }
            }
        }
    }

    /// A record that is none of the current request's: answers what wants an answer, drops the rest.
    func passOver(_ header: FastCGIHeader) -> Bool {
        if header.requestID == 0 { return answerManagement(header) }
        guard skipRecord() else { return false }
        return header.kind == .beginRequest ? refuse(header.requestID, .cannotMultiplex) : true
    }

    /// Reads and drops the rest of the record.
    func skipRecord() -> Bool {
        while let step = next() {
            if case .end = step { return true }
        }
        return false
    }

    /// The record's content, at most `limit` bytes; nil when it is longer or the connection ends.
    func readContent(into bytes: inout [UInt8], limit: Int) -> Bool {
        while let step = next() {
            switch step {
            case .begin, .notYet: return false
            case .content(let content):
                guard bytes.count + content.count <= limit else {
                    isBroken = true
                    return false
                }
                bytes.append(contentsOf: content)
            case .end: return true
            }
        }
        return false
    }

    /// Sends both, in one call when the peer is quick. Each send is whole records.
    ///
    /// A peer that does not read may be waiting to send: what it sends is taken meanwhile.
    func send(
        _ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer,
        meanwhile stdin: StdinBody
    ) -> Bool {
        isSending = true
        var first = first
        var second = second
        while !isBroken && first.count + second.count > 0 {
            let result =
                second.isEmpty
                ? Socket.send(socket, first, dontWait: true)
                : Socket.send(socket, first, second, dontWait: true)
            switch result {
            case .bytes(let count):
                let ofFirst = min(count, first.count)
                first = .init(rebasing: first[ofFirst...])
                second = .init(rebasing: second[(count - ofFirst)...])
            case .wouldBlock: if !waitForRoom(stdin) { isBroken = true }
            case .end, .failed: isBroken = true
            }
        }
        isSending = false
        return sendReplies()
    }

    /// False: the peer has taken nothing for too long.
    private func waitForRoom(_ stdin: StdinBody) -> Bool {
        let ready = Socket.wait(
            socket, for: stdin.mayReadAhead ? [.writable, .readable] : .writable,
            milliseconds: Self.patience)
        if ready.contains(.readable) { stdin.readAhead() }
        return !ready.isEmpty
    }

    /// Sends the answers to management records and to requests that are not taken on.
    private func sendReplies() -> Bool {
        // While an answer is on its way they wait; a peer that asks on and reads nothing is of no use.
        if isSending && replies.count > Self.mostReplies { isBroken = true }
        guard !isSending else { return !isBroken }
        while !isBroken && !replies.isEmpty {
            let result = replies.withUnsafeBytes { Socket.send(socket, $0, dontWait: true) }
            switch result {
            case .bytes(let count): replies.removeFirst(count)
            case .wouldBlock:
                let ready = Socket.wait(socket, for: .writable, milliseconds: Self.patience)
                if ready.isEmpty { isBroken = true }
            case .end, .failed: isBroken = true
            }
        }
        return !isBroken
    }

    /// Whether the peer is gone, or has sent FCGI_ABORT_REQUEST behind what has been read. One that has
    /// only closed its own direction still waits for the answer.
    ///
    /// `streamIsRead`: the request's FCGI_STDIN has ended, so the next record is looked at.
    func isPeerGone(id: UInt16, streamIsRead: Bool) -> Bool {
        if isBroken { return true }
        // Both directions are closed, or a reset has come (man 2 poll).
        let ready = Socket.wait(socket, for: [], milliseconds: 0)
        if !ready.isDisjoint(with: [.hangUp, .error]) { return true }
        guard streamIsRead, decoder.isBetweenRecords else { return false }
        return withUnsafeTemporaryAllocation(byteCount: 8, alignment: 8) { room in
            if hasInput {
                guard end - start >= 8 else { return false }
                room.copyMemory(from: .init(rebasing: buffer[start..<start + 8]))
            } else {
                let result = Socket.receive(socket, into: room, peek: true, dontWait: true)
                guard result == .bytes(8) else { return false }
            }
            let record = UInt32(room[1]) << 16 | UInt32(room[2]) << 8 | UInt32(room[3])
            return record == UInt32(FastCGI.Kind.abortRequest.rawValue) << 16 | UInt32(id)
        }
    }

    /// Before the connection is closed with something of the body unread: the peer gets the end of the
    /// stream behind the answer, and has its time to close. A close at once would be a reset, which over
    /// TCP destroys what the peer has not read yet.
    func linger() {
        Socket.shutdownWrite(socket)
        let deadline = Instant.now.adding(seconds: Self.longestLinger)
        while true {
            let ready = Socket.wait(
                socket, for: .readable, milliseconds: deadline.pollTimeout())
            guard !ready.isEmpty,
                case .bytes = Socket.receive(socket, into: buffer, dontWait: true)
            else { return }
        }
    }

    private var hasInput: Bool { start < end }

    /// Whether bytes have come; nil: none will come any more.
    private func receive(waits: Bool) -> Bool? {
        start = 0
        end = 0
        while true {
            switch Socket.receive(socket, into: buffer, dontWait: true) {
            case .bytes(let count):
                end = count
                return true
            case .wouldBlock:
                guard waits else { return false }
                // A request that has begun goes on.
                let ready = Socket.wait(socket, for: .readable, milliseconds: Self.patience)
                if ready.isEmpty { return nil }
            case .end, .failed: return nil
            }
        }
    }

    /// Between two requests: silence is no error, and a shutdown may come.
    private func waitForInput() -> Bool {
        guard shutdown.becomeIdle(socket) else { return false }
        defer { shutdown.becomeBusy() }
        start = 0
        end = 0
        while true {
            switch Socket.receive(socket, into: buffer) {
            case .bytes(let count):
                end = count
                return true
            case .wouldBlock: _ = Socket.wait(socket, for: .readable, milliseconds: Self.patience)
            case .end, .failed: return false
            }
        }
    }

    private func readBegin(_ header: FastCGIHeader) -> (accepted: WorkerBegin?, closes: Bool)? {
        content.removeAll(keepingCapacity: true)
        guard readContent(into: &content, limit: 8),
            let begin = content.withUnsafeBufferPointer({ try? FastCGIBegin($0.span) })
        else {
            return nil
        }
        guard begin.role == FastCGI.Role.responder.rawValue else {
            return refuse(header.requestID, .unknownRole) ? (nil, !begin.keepsConnection) : nil
        }
        return (WorkerBegin(id: header.requestID, keepsConnection: begin.keepsConnection), false)
    }

    /// Ends a request that is not taken on.
    func refuse(_ id: UInt16, _ status: FastCGI.ProtocolStatus) -> Bool {
        FastCGI.appendEnd(status, id: id, to: &replies)
        return sendReplies()
    }

    /// FCGI_GET_VALUES, and FCGI_UNKNOWN_TYPE for anything else (FastCGI §4).
    func answerManagement(_ header: FastCGIHeader) -> Bool {
        var content: [UInt8] = []
        guard readContent(into: &content, limit: 4096) else { return false }
        if header.kind == .getValues {
            guard let values = answerValues(content) else { return false }
            FastCGI.appendContent(values.span, .getValuesResult, id: 0, to: &replies)
            if values.isEmpty { FastCGI.appendEmpty(.getValuesResult, id: 0, to: &replies) }
        } else {
            let unknown: [UInt8] = [header.type, 0, 0, 0, 0, 0, 0, 0]
            FastCGI.appendContent(unknown.span, .unknownType, id: 0, to: &replies)
        }
        return sendReplies()
    }

    private func answerValues(_ content: [UInt8]) -> [UInt8]? {
        var pairs = FastCGIPairs()
        var values: [UInt8] = []
        do throws(FastCGIError) {
            while let pair = try pairs.next(in: content.span) {
                let name = content.span.extracting(pair.name)
                let value: StaticString? =
                    if name.matches("FCGI_MAX_CONNS") || name.matches("FCGI_MAX_REQS") {
                        "1"
                    } else if name.matches("FCGI_MPXS_CONNS") { "0" } else { nil }
                guard let value else { continue }
                let text = UnsafeBufferPointer(
                    start: value.utf8Start, count: value.utf8CodeUnitCount)
                FastCGI.appendPair(name, text.span, to: &values)
            }
        } catch {
            return nil
        }
        return values
    }
}
