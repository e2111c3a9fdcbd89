// The worker's records, and what each does to the answer.
// SPDX-License-Identifier: Apache-2.0

import Exchange
import Platform

extension FastCGIConversation {
    /// The most bytes of the private access-log record: a status and the text.
    private static var largestLogRecord: Int { 2 + 4096 }

    mutating func receive(wait: Bool) {
        let result = Socket.receive(
            worker.socket.number, into: worker.input, dontWait: !wait)
        switch result {
        case .bytes(let count):
            let arrived = CoarseClock.now
            lastActivity = arrived
            take(count)
            guard phase != .over else { return }
            // The time a slow client takes for its bytes is not the worker's.
            lastActivity = .now
            if phase == .open {
                let waited = lastActivity.seconds(since: arrived)
                if waited > 0.01 { requestDeadline = requestDeadline.adding(seconds: waited) }
            }
            if lastActivity >= requestDeadline { look(at: lastActivity) }
        case .end: lost("the worker ended before it had answered", wasUnread: false)
        case .failed: lost("the worker broke its connection", wasUnread: true)
        case .wouldBlock:
            guard wait else { return }
            look()
            if phase != .over { pauseForWorker() }
        }
    }

    /// Takes `count` received bytes apart.
    private mutating func take(_ count: Int) {
        let received = UnsafeRawBufferPointer(worker.input).bindMemory(to: UInt8.self)
        let bytes = received.span.extracting(first: count)
        var offset = 0
        do throws(FastCGIError) {
            while phase != .over, let step = try decoder.next(bytes, &offset) {
                switch step {
                case .begin(let header): begin(header)
                case .content(let range): content(bytes.extracting(range))
                case .end: endRecord()
                }
            }
        } catch {
            return fail(502, "the worker does not speak FastCGI")
        }
        // Nothing may follow FCGI_END_REQUEST before the next request.
        if offset < count || !decoder.isBetweenRecords { isTainted = isTainted || phase == .over }
    }

    private mutating func begin(_ header: FastCGIHeader) {
        record = header
        if !worker.record.isEmpty { worker.record.removeAll(keepingCapacity: true) }
        guard let kind = header.kind else {
            if header.requestID != 0 { fail(502, "the worker sent a record of unknown type") }
            // An unknown management record is none of the request's business (FastCGI §4.2).
            isTainted = true
            return
        }
        if header.requestID == 0, kind == .getValuesResult || kind == .unknownType {
            isTainted = true
            return
        }
        guard header.requestID == id else {
            return fail(502, "the worker answered a request it was not asked")
        }
        receivedAnything = true
        switch kind {
        case .stdout:
            if isOutputEnded, header.contentLength > 0 {
                fail(502, "the worker went on after the end of its output")
            }
        case .stderr: break
        case .endRequest:
            if header.contentLength != 8 { fail(502, "the worker's end of request is malformed") }
        case .accessLog where relay.isWorker && header.contentLength <= Self.largestLogRecord: break
        default: fail(502, "the worker sent a record that only a server may send")
        }
    }

    private mutating func content(_ bytes: Span<UInt8>) {
        switch record.kind {
        case .stdout: if !discards { output(bytes) }
        case .stderr: exchange.logErrors(&worker.errors, of: worker.pid, bytes, at: lastActivity)
        case .endRequest, .accessLog: worker.record.append(bytes)
        default: break
        }
    }

    private mutating func endRecord() {
        switch record.kind {
        case .stdout: if record.contentLength == 0 { isOutputEnded = true }
        case .accessLog: noteForLog()
        case .endRequest:
            let ending = worker.record.withUnsafeBufferPointer { try? FastCGIEnd($0.span) }
            guard let ending else { return }
            finish(ending)
        default: break
        }
    }

    private func noteForLog() {
        guard worker.record.count >= 2 else { return }
        let status = Int(worker.record[0]) << 8 | Int(worker.record[1])
        if (100...599).contains(status) { exchange.noteStatus(status) }
        worker.record.withUnsafeBytes {
            exchange.appendLog(UnsafeRawBufferPointer(rebasing: $0[2...]))
        }
    }

    /// Bytes of FCGI_STDOUT: the head, then the body.
    private mutating func output(_ bytes: Span<UInt8>) {
        if isHeadRead { return write(bytes) }
        do throws(ResponseHeadError) {
            let rules: ResponseHead.Rules = relay.isWorker ? .fromWorker : .fromGateway
            let consumed = try worker.collector.take(bytes, rules, into: &worker.head.pointee)
            guard let consumed else { return }
            isHeadRead = true
            begin()
            write(bytes.extracting(consumed..<bytes.count))
        } catch {
            fail(502, "\(error)")
        }
    }

    private mutating func begin() {
        if worker.head.pointee.isLocalRedirect {
            outcome = .redirect(path: worker.head.pointee.location)
            discards = true
        } else if !exchange.sendHead(worker.head.pointee) {
            abandon(at: lastActivity)
        }
    }

    private mutating func write(_ bytes: Span<UInt8>) {
        guard bytes.count > 0, !discards, phase == .open else { return }
        let isSent = bytes.withUnsafeBytes { exchange.write($0) }
        if !isSent { abandon(at: lastActivity) }
    }

    /// FCGI_END_REQUEST: the answer is complete, or never came.
    private mutating func finish(_ ending: FastCGIEnd) {
        guard phase == .open else { return end(tainted: false) }
        switch ending.protocolStatus {
        case .requestComplete: break
        case .overloaded: return fail(503, "the worker says that it is overloaded", retryAfter: 1)
        case .cannotMultiplex, .unknownRole, nil:
            return fail(502, "the worker refused the request")
        }
        guard isHeadRead else {
            return fail(
                502, "the worker answered without a head (status \(ending.applicationStatus))")
        }
        if ending.applicationStatus != 0 {
            exchange.log(
                .notice, "pid \(worker.pid) ended a request with status \(ending.applicationStatus)"
            )
        }
        if outcome == .answered { exchange.finish() }
        end(tainted: false)
    }
}
