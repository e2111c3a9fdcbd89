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
/// Every error on the way in - malformed records, silence within a record, a closed connection - has the
/// same end: `isBroken`, and the connection is closed.
final class FastCGIConnection {
    /// Milliseconds without a byte of a request that has begun. Between requests no clock runs: the
    /// system would wind one up for every request.
    private static let patience: Int32 = 60_000

    let socket: Int32
    private(set) var isBroken = false
    private let shutdown: Shutdown
    private let buffer: UnsafeMutableRawBufferPointer
    private var start = 0
    private var end = 0
    private var decoder = FastCGIDecoder()
    private var output: [UInt8] = []
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
    }

    /// The next step; nil when the connection is of no more use.
    func next() -> Step? {
        while !isBroken {
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
                break
            }
            if !receive() { break }
        }
        isBroken = true
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
            case .begin: return false
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

    func send(_ bytes: UnsafeRawBufferPointer) -> Bool {
        send(bytes, UnsafeRawBufferPointer(start: nil, count: 0))
    }

    /// Sends both, in one call when the peer is quick.
    func send(_ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer) -> Bool {
        var first = first
        var second = second
        while !isBroken && first.count + second.count > 0 {
            let result =
                second.isEmpty ? Socket.send(socket, first) : Socket.send(socket, first, second)
            guard case .bytes(let count) = result else {
                isBroken = true
                break
            }
            let ofFirst = min(count, first.count)
            first = .init(rebasing: first[ofFirst...])
            second = .init(rebasing: second[(count - ofFirst)...])
        }
        return !isBroken
    }

    /// Whether the peer is gone, or has sent FCGI_ABORT_REQUEST behind what has been read.
    ///
    /// `streamIsRead`: the request's FCGI_STDIN has ended, so the next record is looked at.
    func isPeerGone(id: UInt16, streamIsRead: Bool) -> Bool {
        if isBroken { return true }
        let header = withUnsafeTemporaryAllocation(byteCount: 8, alignment: 8) { room -> UInt32? in
            if hasInput {
                guard end - start >= 8 else { return 0 }
                room.copyMemory(from: .init(rebasing: buffer[start..<start + 8]))
                return UInt32(room[1]) << 16 | UInt32(room[2]) << 8 | UInt32(room[3])
            }
            switch Socket.receive(socket, into: room, peek: true, dontWait: true) {
            case .bytes(8): return UInt32(room[1]) << 16 | UInt32(room[2]) << 8 | UInt32(room[3])
            case .bytes, .wouldBlock: return 0
            case .end, .failed: return nil
            }
        }
        guard let header else { return true }
        let abort = UInt32(FastCGI.Kind.abortRequest.rawValue) << 16 | UInt32(id)
        return streamIsRead && decoder.isBetweenRecords && header == abort
    }

    /// Whether a step of the stream can be had without waiting, or the end.
    var canReadNow: Bool {
        hasInput || !Socket.wait(socket, for: .readable, milliseconds: 0).isEmpty
    }

    private var hasInput: Bool { start < end }

    private func receive() -> Bool {
        start = 0
        end = 0
        while true {
            switch Socket.receive(socket, into: buffer, dontWait: true) {
            case .bytes(let count):
                end = count
                return true
            case .wouldBlock:
                // A request that has begun goes on.
                let ready = Socket.wait(socket, for: .readable, milliseconds: Self.patience)
                if ready.isEmpty { return false }
            case .end, .failed: return false
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
        output.removeAll(keepingCapacity: true)
        FastCGI.appendEnd(status, id: id, to: &output)
        return output.withUnsafeBytes { send($0) }
    }

    /// FCGI_GET_VALUES, and FCGI_UNKNOWN_TYPE for anything else (FastCGI §4).
    func answerManagement(_ header: FastCGIHeader) -> Bool {
        var content: [UInt8] = []
        guard readContent(into: &content, limit: 4096) else { return false }
        output.removeAll(keepingCapacity: true)
        if header.kind == .getValues {
            guard let values = answerValues(content) else { return false }
            FastCGI.appendContent(values.span, .getValuesResult, id: 0, to: &output)
            if values.isEmpty { FastCGI.appendEmpty(.getValuesResult, id: 0, to: &output) }
        } else {
            let unknown: [UInt8] = [header.type, 0, 0, 0, 0, 0, 0, 0]
            FastCGI.appendContent(unknown.span, .unknownType, id: 0, to: &output)
        }
        return output.withUnsafeBytes { send($0) }
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
