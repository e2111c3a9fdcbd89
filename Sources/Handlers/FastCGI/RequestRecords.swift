// The request on its way to the worker: parameters first, then the body as the worker takes it.
// SPDX-License-Identifier: Apache-2.0

import Exchange
import Platform

/// One request as records in `WorkerConnection.output`, and how much of it has been sent.
struct RequestRecords {
    /// What became of a send.
    enum Sent: Equatable {
        /// The worker took something.
        case some
        /// The worker takes nothing now.
        case nothingNow
        /// The connection is closed, and nothing of the request has left.
        case untouched
        /// The worker takes no more. It may have answered without reading everything.
        case noMore
        case bodyUnreadable
    }

    /// Body bytes that travel with the parameters in the first send.
    private static let firstPiece = 64 * 1024
    /// Body bytes sent at once when the socket has become writable: a Unix socket that says so has room
    /// for them, so the send does not block (man 7 unix; unix_writable in the kernel).
    private static let piece = 32 * 1024

    let id: UInt16
    /// Of `output`.
    private var sent = 0
    private var sentAnything = false
    /// Body bytes put into `output`.
    private var bodyOffset: Int64 = 0
    private var isBodyEnded = false
    private var hasStopped = false

    init(id: UInt16) { self.id = id }

    /// Whether there is more to be sent.
    func isUnfinished(_ worker: WorkerConnection) -> Bool {
        !hasStopped && (sent < worker.output.count || !isBodyEnded)
    }

    /// The worker has not got everything, and will not.
    var isCutShort: Bool { hasStopped }

    /// Whether FCGI_ABORT_REQUEST may follow what has been sent: in the middle of a record nothing may.
    func isBetweenRecords(_ worker: WorkerConnection) -> Bool {
        !hasStopped && sent == worker.output.count
    }

    // MARK: Encoding

    /// Fills `worker.output` with the request. False: a pair does not fit a record.
    mutating func encode(
        _ exchange: Exchange, for worker: WorkerConnection, isWorker: Bool, keepsConnection: Bool
    ) -> Bool {
        worker.output.removeAll(keepingCapacity: true)
        FastCGI.appendBegin(
            .responder, id: id, keepsConnection: keepsConnection, to: &worker.output)
        do throws(FastCGIError) {
            var params = FastCGIParams(id: id)
            if isWorker {
                try worker.encode(exchange, &params)
            } else {
                try encodeVariables(exchange, worker, &params)
            }
            params.finish(&worker.output)
        } catch {
            return false
        }
        if exchange.body.length <= Int64(Self.firstPiece) {
            appendBody(of: exchange, to: worker, limit: Self.firstPiece)
        }
        return true
    }

    private func encodeVariables(
        _ exchange: Exchange, _ worker: WorkerConnection, _ params: inout FastCGIParams
    ) throws(FastCGIError) {
        var failure: FastCGIError?
        Variables.forEachGatewayVariable(
            request: exchange.request, metaVariables: exchange, bodyLength: exchange.body.length,
            scratch: &worker.scratch
        ) { name, value in
            do throws(FastCGIError) {
                try params.append(name, value, to: &worker.output)
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
    }

    /// Appends up to `limit` bytes of the body in records, and the end of FCGI_STDIN after the last.
    /// False: the spool file cannot be read.
    @discardableResult
    private mutating func appendBody(
        of exchange: Exchange, to worker: WorkerConnection, limit: Int
    ) -> Bool {
        var room = limit
        while room > 0, bodyOffset < exchange.body.length {
            let left = exchange.body.length - bodyOffset
            let count = Int(min(Int64(min(room, Self.piece)), left))
            FastCGI.appendHeader(.stdin, id: id, contentLength: count, to: &worker.output)
            guard appendBodyBytes(count, of: exchange, to: worker) else { return false }
            bodyOffset += Int64(count)
            room -= count
        }
        if bodyOffset == exchange.body.length {
            FastCGI.appendEmpty(.stdin, id: id, to: &worker.output)
            isBodyEnded = true
        }
        return true
    }

    private func appendBodyBytes(
        _ count: Int, of exchange: Exchange, to worker: WorkerConnection
    ) -> Bool {
        guard let file = exchange.body.file else {
            let memory = exchange.body.memory
            let start = Int(bodyOffset)
            worker.output.append(contentsOf: memory[start..<start + count])
            return true
        }
        // By way of the memory for what the worker says, which is free between two receives.
        let room = UnsafeMutableRawBufferPointer(rebasing: worker.input[..<count])
        var done = 0
        while done < count {
            let rest = UnsafeMutableRawBufferPointer(rebasing: room[done...])
            let got = try? Files.read(file, into: rest, at: bodyOffset + Int64(done))
            guard let got, got > 0 else { return false }
            done += got
        }
        worker.output.append(contentsOf: room)
        return true
    }

    // MARK: Sending

    /// The first send, which is the whole of a small request.
    mutating func sendFirst(to worker: WorkerConnection) -> Sent {
        send(upTo: worker.output.count, to: worker)
    }

    /// Sends the next piece: the worker's socket is writable.
    mutating func sendMore(of exchange: Exchange, to worker: WorkerConnection) -> Sent {
        if sent == worker.output.count {
            worker.output.removeAll(keepingCapacity: true)
            sent = 0
            guard appendBody(of: exchange, to: worker, limit: Self.piece) else {
                return .bodyUnreadable
            }
        }
        return send(upTo: min(worker.output.count, sent + Self.piece + 8), to: worker)
    }

    private mutating func send(upTo end: Int, to worker: WorkerConnection) -> Sent {
        let result = worker.output.withUnsafeBytes {
            Socket.send(worker.socket, UnsafeRawBufferPointer(rebasing: $0[sent..<end]))
        }
        switch result {
        case .bytes(let count):
            sent += count
            if count > 0 { sentAnything = true }
            return count > 0 ? .some : .nothingNow
        case .wouldBlock: return .nothingNow
        case .end, .failed:
            guard sentAnything else { return .untouched }
            hasStopped = true
            return .noMore
        }
    }

    /// Says FCGI_ABORT_REQUEST in place of what has not been sent. False: the worker does not take it.
    mutating func abort(_ worker: WorkerConnection) -> Bool {
        hasStopped = !isBodyEnded
        worker.output.removeAll(keepingCapacity: true)
        sent = 0
        FastCGI.appendEmpty(.abortRequest, id: id, to: &worker.output)
        let result = worker.output.withUnsafeBytes { Socket.send(worker.socket, $0) }
        worker.output.removeAll(keepingCapacity: true)
        return result == .bytes(FastCGI.headerLength)
    }
}
