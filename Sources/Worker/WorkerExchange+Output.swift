// The answer: FCGI_STDOUT, and what follows it.
// SPDX-License-Identifier: Apache-2.0

import Exchange
internal import Platform

extension WorkerExchange {
    /// Bytes that are collected before they are sent.
    private static let sendSize = 64 * 1024
    /// A piece of at least this size is sent from where it is.
    private static let directSize = 16 * 1024

    func sendHead(_ head: borrowing ResponseHead) -> Bool {
        headSent = true
        let hasNoBody = request.method == .head || head.status == 204 || head.status == 304
        contentLeft = hasNoBody ? 0 : head.contentLength
        lastSend = .now
        appendHead(head)
        return !connection.isBroken
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

    func write(_ bytes: UnsafeRawBufferPointer) -> Bool {
        if isAborted || connection.isBroken { return false }
        if let left = contentLeft { contentLeft = max(0, left - Int64(bytes.count)) }
        if bytes.count >= Self.directSize {
            guard sendDirectly(bytes) else { return false }
        } else {
            collect(bytes)
        }
        return output.count >= Self.sendSize || isWaitedFor ? flush() : true
    }

    /// A complete body waits for the end of the request, to leave with it in one call. The end of an
    /// undeclared one is not known, so somebody may wait for these bytes; likewise when the extension
    /// takes its time.
    private var isWaitedFor: Bool {
        guard let contentLeft else { return true }
        if contentLeft == 0 { return false }
        return Instant.now.seconds(since: lastSend) > 0.005
    }

    func fail(status: Int, reason: String) {
        if !isAborted {
            closeRecord()
            let text = Array("\(reason)\n".utf8)
            FastCGI.appendContent(text.span, .stderr, id: id, to: &output)
        }
        guard !headSent else {
            isCut = !isAborted
            return
        }
        let page = ErrorPage.html(status: status)
        var head = ResponseHead()
        head.status = status
        head.addField("Content-Type", "text/html; charset=utf-8")
        head.contentLength = Int64(page.count)
        _ = sendHead(head)
        _ = page.withUnsafeBytes { write($0) }
    }

    /// Ends the request: the rest of the answer, the note for the access log, FCGI_END_REQUEST.
    ///
    /// A cut answer is sent without its end; closing the connection tells the other side.
    func end() {
        closeRecord()
        if !isCut {
            dropInput()
            if params.isFromMortise, logStatus != 0 || !logText.isEmpty { appendLogRecord() }
            FastCGI.appendEmpty(.stdout, id: id, to: &output)
            FastCGI.appendEnd(.requestComplete, id: id, to: &output)
        }
        closeRecord()
        _ = send()
    }

    private func appendLogRecord() {
        FastCGI.appendHeader(.accessLog, id: id, contentLength: 2 + logText.count, to: &output)
        output.append(UInt8(logStatus >> 8))
        output.append(UInt8(logStatus & 255))
        output.append(contentsOf: logText)
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
            guard output.withUnsafeBytes({ connection.send($0, piece) }) else { return false }
            output.removeAll(keepingCapacity: true)
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

    func flush() -> Bool {
        closeRecord()
        defer { lastSend = .now }
        return send()
    }

    private func send() -> Bool {
        guard !output.isEmpty else { return !connection.isBroken }
        let sent = output.withUnsafeBytes { connection.send($0) }
        output.removeAll(keepingCapacity: true)
        return sent
    }
}
