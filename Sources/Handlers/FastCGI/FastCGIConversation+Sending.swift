// The request on its way to the worker: parameters first, then the body as the worker takes it.
// SPDX-License-Identifier: Apache-2.0

import Exchange
import Platform

extension FastCGIConversation {
    /// Body bytes that travel with the parameters in the first send.
    private static var firstPiece: Int { 64 * 1024 }
    /// Body bytes sent at once when the socket has become writable: a Unix socket that says so has room
    /// for them, so the send does not block (man 7 unix; unix_writable in the kernel).
    private static var piece: Int { 32 * 1024 }

    /// Fills `worker.output` with the request. False: a pair does not fit a record.
    mutating func encodeRequest() -> Bool {
        worker.output.removeAll(keepingCapacity: true)
        FastCGI.appendBegin(.responder, id: id, keepsConnection: true, to: &worker.output)
        do throws(FastCGIError) {
            try encodeParams()
        } catch {
            return false
        }
        if exchange.body.length <= Int64(Self.firstPiece) {
            appendBody(Self.firstPiece)
        }
        return true
    }

    private func encodeParams() throws(FastCGIError) {
        var params = FastCGIParams(id: id)
        if relay.isWorker {
            try worker.encode(exchange, &params)
        } else {
            try encodeVariables(&params)
        }
        params.finish(&worker.output)
    }

    private func encodeVariables(_ params: inout FastCGIParams) throws(FastCGIError) {
        let worker = worker
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
    private mutating func appendBody(_ limit: Int) -> Bool {
        var room = limit
        while room > 0, bodyOffset < exchange.body.length {
            let left = exchange.body.length - bodyOffset
            let count = Int(min(Int64(min(room, Self.piece)), left))
            FastCGI.appendHeader(.stdin, id: id, contentLength: count, to: &worker.output)
            guard appendBodyBytes(count) else { return false }
            bodyOffset += Int64(count)
            room -= count
        }
        if bodyOffset == exchange.body.length {
            FastCGI.appendEmpty(.stdin, id: id, to: &worker.output)
            isBodyEnded = true
        }
        return true
    }

    private func appendBodyBytes(_ count: Int) -> Bool {
        guard let file = exchange.body.file else {
            let memory = exchange.body.memory
            let start = Int(bodyOffset)
            worker.output.append(contentsOf: memory[start..<start + count])
            return true
        }
        let start = worker.output.count
        worker.output.append(contentsOf: repeatElement(0, count: count))
        return worker.output.withUnsafeMutableBytes { bytes in
            var done = 0
            while done < count {
                let room = UnsafeMutableRawBufferPointer(
                    rebasing: bytes[(start + done)..<(start + count)])
                let got = try? Files.read(file, into: room, at: bodyOffset + Int64(done))
                guard let got, got > 0 else { return false }
                done += got
            }
            return true
        }
    }

    /// Sends what the worker takes now. The first send is the whole of a small request.
    mutating func send(first: Bool) {
        if sent == worker.output.count {
            worker.output.removeAll(keepingCapacity: true)
            sent = 0
            guard appendBody(Self.piece) else {
                return fail(500, "the request's body cannot be read back")
            }
        }
        let end = first ? worker.output.count : min(worker.output.count, sent + Self.piece + 8)
        let result = worker.output.withUnsafeBytes {
            Socket.send(worker.socket.number, UnsafeRawBufferPointer(rebasing: $0[sent..<end]))
        }
        switch result {
        case .bytes(let count):
            sent += count
            if count > 0 { sentAnything = true }
            if !first { lastActivity = .now }
        case .wouldBlock: break
        case .end, .failed:
            // It may have answered without reading everything: EPIPE alone is no failure.
            hasStoppedSending = true
            if !sentAnything { lost("the worker has closed its connection", wasUnread: true) }
        }
    }

    mutating func sendAbort() {
        worker.output.removeAll(keepingCapacity: true)
        sent = 0
        FastCGI.appendEmpty(.abortRequest, id: id, to: &worker.output)
        let result = worker.output.withUnsafeBytes { Socket.send(worker.socket.number, $0) }
        worker.output.removeAll(keepingCapacity: true)
        if result != .bytes(FastCGI.headerLength) { end(tainted: true) }
    }
}
