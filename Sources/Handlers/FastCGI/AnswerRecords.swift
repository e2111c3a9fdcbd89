// The worker's records, and what each does to the answer.
// SPDX-License-Identifier: Apache-2.0

import Exchange
import Platform

/// Reads the answer to one request out of the worker's records.
struct AnswerRecords {
    /// What the bytes read last have come to.
    enum Progress {
        case unfinished
        /// FCGI_END_REQUEST has come, and the answer before it was a whole one.
        case complete
        /// The worker is to blame.
        case failed(status: Int, reason: String, retryAfter: Int?)
    }

    /// The most bytes of the private access-log record: a status and the text.
    private static let largestLogRecord = 2 + 4096

    private let exchange: Exchange
    private let worker: WorkerConnection
    private let relay: FastCGIRelay
    private let id: UInt16
    private var decoder = FastCGIDecoder()
    private var record = FastCGIHeader(
        type: 0, requestID: 0, contentLength: 0, paddingLength: 0)
    private var progress = Progress.unfinished
    private var isOver = false
    private var isHeadRead = false
    private var isOutputEnded = false
    private(set) var redirect: [UInt8]?
    /// Bytes of the answer, and of nothing else, among those of the last `read`.
    private(set) var outputBytes = 0
    /// Something was seen after which this worker is not trusted with another request.
    private(set) var isTainted = false
    /// The client has gone, which a failed write told or our caller: only the answer's end counts.
    var isUnwanted = false

    init(_ exchange: Exchange, _ worker: WorkerConnection, _ relay: FastCGIRelay, id: UInt16) {
        self.exchange = exchange
        self.worker = worker
        self.relay = relay
        self.id = id
        worker.collector.reset(&worker.head.pointee)
    }

    /// Takes the first `count` bytes of `worker.input` apart, which arrived at `now`.
    mutating func read(_ count: Int, at now: Instant) -> Progress {
        let received = UnsafeRawBufferPointer(worker.input).bindMemory(to: UInt8.self)
        let bytes = received.span.extracting(first: count)
        var offset = 0
        outputBytes = 0
        do throws(FastCGIError) {
            while !isOver, let step = try decoder.next(bytes, &offset) {
                switch step {
                case .begin(let header): begin(header)
                case .content(let range): content(bytes.extracting(range), at: now)
                case .end: endRecord()
                }
            }
        } catch {
            fail(502, "the worker does not speak FastCGI")
        }
        // Nothing may follow FCGI_END_REQUEST before the next request.
        if isOver, offset < count || !decoder.isBetweenRecords { isTainted = true }
        return progress
    }

    // MARK: Records

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

    private mutating func content(_ bytes: Span<UInt8>, at now: Instant) {
        switch record.kind {
        case .stdout:
            // What is dropped does not count as an answer: it may go on without end.
            guard !isUnwanted, redirect == nil else { return }
            outputBytes += bytes.count
            output(bytes)
        case .stderr:
            exchange.logErrors(
                &worker.errors, of: .worker(pid: worker.pid), bytes, relay.errorLines, at: now)
        case .endRequest, .accessLog: worker.record.append(bytes)
        default: break
        }
    }

    private mutating func endRecord() {
        switch record.kind {
        case .stdout: if record.contentLength == 0 { isOutputEnded = true }
        case .accessLog: appendToAccessLog()
        case .endRequest:
            let ending = worker.record.withUnsafeBufferPointer { try? FastCGIEnd($0.span) }
            if let ending { finish(ending) }
        default: break
        }
    }

    private func appendToAccessLog() {
        guard worker.record.count >= 2, !isUnwanted else { return }
        let status = Int(worker.record[0]) << 8 | Int(worker.record[1])
        if (100...599).contains(status) { exchange.noteStatus(status) }
        worker.record.withUnsafeBytes {
            exchange.appendLog(UnsafeRawBufferPointer(rebasing: $0[2...]))
        }
    }

    // MARK: The answer

    /// Bytes of FCGI_STDOUT: the head, then the body.
    private mutating func output(_ bytes: Span<UInt8>) {
        if isHeadRead { return write(bytes) }
        do throws(ResponseHeadError) {
            let rules: ResponseHead.Rules = relay.isWorker ? .fromWorker : .fromGateway
            let consumed = try worker.collector.append(bytes, rules, into: &worker.head.pointee)
            guard let consumed else { return }
            isHeadRead = true
            sendHead()
            write(bytes.extracting(consumed..<bytes.count))
        } catch {
            fail(502, "\(error)")
        }
    }

    private mutating func sendHead() {
        if worker.head.pointee.isLocalRedirect {
            redirect = worker.head.pointee.location
        } else if !exchange.sendHead(worker.head.pointee) {
            isUnwanted = true
        }
    }

    private mutating func write(_ bytes: Span<UInt8>) {
        guard bytes.count > 0, redirect == nil, !isUnwanted else { return }
        if !bytes.withUnsafeBytes({ exchange.write($0) }) { isUnwanted = true }
    }

    /// FCGI_END_REQUEST: the answer is complete, or never came.
    private mutating func finish(_ ending: FastCGIEnd) {
        guard !isUnwanted else { return end(.complete) }
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
            relay.failures.log(
                .notice,
                "pid \(worker.pid) ended a request with status \(ending.applicationStatus)",
                of: exchange)
        }
        if redirect == nil { exchange.finish() }
        end(.complete)
    }

    private mutating func fail(_ status: Int, _ reason: String, retryAfter: Int? = nil) {
        isTainted = true
        end(.failed(status: status, reason: reason, retryAfter: retryAfter))
    }

    /// The first end counts.
    private mutating func end(_ progress: Progress) {
        guard !isOver else { return }
        isOver = true
        self.progress = progress
    }
}
