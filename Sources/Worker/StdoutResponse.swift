// The answer: FCGI_STDOUT, and what follows it.
// SPDX-License-Identifier: Apache-2.0

import Exchange
internal import Platform

/// The response to a connection's current request, collected into records.
final class StdoutResponse {
    /// Bytes that are collected before they are sent.
    private static let sendSize = 64 * 1024
    /// A piece of at least this size is sent from where it is.
    private static let directSize = 16 * 1024

    private let connection: FastCGIConnection
    /// What is still coming while nothing can be sent.
    private let stdin: StdinBody
    private var id: UInt16 = 0
    private var output: [UInt8] = []
    /// Where the open record's header stands in `output`; -1 = none is open.
    private var openRecord = -1
    /// Nil before the head is sent.
    private var framing: ResponseFraming?
    private var lastSend = Instant(nanoseconds: 0)
    /// The response was cut: the connection has to be closed for the other side to see it.
    private(set) var isCut = false
    /// Memory for a head that does not fit the open record.
    private var scratch: [UInt8] = []

    init(_ connection: FastCGIConnection, _ stdin: StdinBody) {
        self.connection = connection
        self.stdin = stdin
    }

    func begin(id: UInt16) {
        self.id = id
        if !output.isEmpty || output.capacity > 1 << 20 {
            output.removeAll(keepingCapacity: output.capacity <= 1 << 20)
        }
        openRecord = -1
        framing = nil
        isCut = false
    }

    /// False: nobody waits for it.
    func sendHead(_ head: borrowing ResponseHead, isHead: Bool) -> Bool {
        framing = ResponseFraming(head, isHead: isHead, isHTTP10: false)
        lastSend = .now
        appendHead(head)
        return !connection.isBroken
    }

    /// Body bytes, as many of them as the head has announced. False: nobody waits for them.
    func write(_ bytes: UnsafeRawBufferPointer) -> Bool {
        if stdin.isAborted || connection.isBroken { return false }
        let count = Int(framing?.admit(Int64(bytes.count)) ?? 0)
        guard count > 0 else { return true }
        let admitted = UnsafeRawBufferPointer(rebasing: bytes[..<count])
        if count >= Self.directSize {
            guard sendDirectly(admitted) else { return false }
        } else {
            collect(admitted)
        }
        return output.count >= Self.sendSize || isWaitedFor ? flush() : true
    }

    /// Gives up on the response: an error page when nothing was said, else a cut.
    func fail(status: Int, reason: String, isHead: Bool) {
        let outcome = framing == nil ? "answered \(status)" : "cut the response"
        if !stdin.isAborted { report("\(reason); \(outcome)") }
        guard framing == nil else {
            isCut = !stdin.isAborted
            return
        }
        let page = ErrorPage.html(status: status)
        var head = ResponseHead()
        head.status = status
        head.addField("Content-Type", "text/html; charset=utf-8")
        head.contentLength = Int64(page.count)
        _ = sendHead(head, isHead: isHead)
        _ = page.withUnsafeBytes { write($0) }
    }

    /// The body is complete, as far as the extension is concerned. One that is shorter than its
    /// Content-Length is cut, so that nobody takes it for whole.
    func finishBody() {
        guard !isCut, !stdin.isAborted, let framing else { return }
        if framing.dropped > 0 {
            report("dropped \(framing.dropped) bytes beyond its Content-Length")
        }
        guard case .short(let missing) = framing.end() else { return }
        report("the body ended \(missing) bytes before its Content-Length")
        isCut = true
    }

    /// The private record for the host's access log: a status, 0 = none, and a text.
    func appendLogRecord(status: UInt16, text: [UInt8]) {
        closeRecord()
        FastCGI.appendHeader(.accessLog, id: id, contentLength: 2 + text.count, to: &output)
        output.append(UInt8(status >> 8))
        output.append(UInt8(status & 255))
        output.append(contentsOf: text)
    }

    /// The end of the answer: FCGI_STDOUT's and the request's. A cut one is sent without its end.
    func end() {
        closeRecord()
        if !isCut {
            FastCGI.appendEmpty(.stdout, id: id, to: &output)
            FastCGI.appendEnd(.requestComplete, id: id, to: &output)
        }
        _ = send()
    }

    private func flush() -> Bool {
        closeRecord()
        let now = Instant.now
        // An answer that takes its time may have lost its client meanwhile.
        if now.seconds(since: lastSend) > 0.05, !stdin.isWaitedFor {
            stdin.abort()
            return false
        }
        defer { lastSend = now }
        return send()
    }

    /// A complete body waits for the end of the request, to leave with it in one call. The end of an
    /// undeclared one is not known, so somebody may wait for these bytes; likewise when the extension
    /// takes its time.
    private var isWaitedFor: Bool {
        switch framing?.form {
        case .length(left: 0), .bodyless, nil: false
        case .length: Instant.now.seconds(since: lastSend) > 0.005
        case .chunked, .untilClose: true
        }
    }

    /// A line for the other side's error log.
    private func report(_ reason: String) {
        closeRecord()
        let text = Array("\(reason)\n".utf8)
        FastCGI.appendContent(text.span, .stderr, id: id, to: &output)
    }

    /// Writes the head into the open record when it surely fits.
    private func appendHead(_ head: borrowing ResponseHead) {
        openRecordIfClosed()
        let used = output.count - openRecord - FastCGI.headerLength
        // A few fields of the worker's own come to it, see `appendGatewayHead`.
        if used + head.block.count + head.reason.count + 256 <= FastCGI.largestContent {
            return head.appendGatewayHead(to: &output)
        }
        var block: [UInt8] = []
        swap(&block, &scratch)
        block.removeAll(keepingCapacity: true)
        head.appendGatewayHead(to: &block)
        block.withUnsafeBytes { collect($0) }
        swap(&block, &scratch)
    }

    private func openRecordIfClosed() {
        guard openRecord < 0 else { return }
        openRecord = output.count
        FastCGI.appendHeader(.stdout, id: id, contentLength: 0, to: &output)
    }

    /// Copies into the open record; opens another one when it is full.
    private func collect(_ bytes: UnsafeRawBufferPointer) {
        var rest = bytes
        while !rest.isEmpty {
            openRecordIfClosed()
            let used = output.count - openRecord - FastCGI.headerLength
            let count = min(rest.count, FastCGI.largestContent - used)
            output.append(contentsOf: UnsafeRawBufferPointer(rebasing: rest[..<count]))
            rest = .init(rebasing: rest[count...])
            if used + count == FastCGI.largestContent { closeRecord() }
        }
    }

    /// Sends what is collected and then the bytes, without copying them.
    private func sendDirectly(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var rest = bytes
        closeRecord()
        while !rest.isEmpty {
            let count = min(rest.count, FastCGI.largestContent - 7)
            FastCGI.appendHeader(.stdout, id: id, contentLength: count, to: &output)
            let piece = UnsafeRawBufferPointer(rebasing: rest[..<count])
            let isSent = output.withUnsafeBytes { connection.send($0, piece, meanwhile: stdin) }
            output.removeAll(keepingCapacity: true)
            guard isSent else { return false }
            rest = .init(rebasing: rest[count...])
        }
        lastSend = .now
        return true
    }

    private func closeRecord() {
        guard openRecord >= 0 else { return }
        let length = output.count - openRecord - FastCGI.headerLength
        output[openRecord + 4] = UInt8(truncatingIfNeeded: length >> 8)
        output[openRecord + 5] = UInt8(truncatingIfNeeded: length)
        openRecord = -1
    }

    private func send() -> Bool {
        guard !output.isEmpty else { return !connection.isBroken }
        let nothing = UnsafeRawBufferPointer(start: nil, count: 0)
        let isSent = output.withUnsafeBytes { connection.send($0, nothing, meanwhile: stdin) }
        output.removeAll(keepingCapacity: true)
        return isSent
    }
}
