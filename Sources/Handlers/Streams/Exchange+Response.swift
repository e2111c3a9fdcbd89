// The response's head and framing (RFC 9112 §6), whatever kind of handler writes it.
// SPDX-License-Identifier: Apache-2.0

import Synchronization

package import Exchange
package import Platform

extension Exchange {
    /// Sends the head: status line, Date, Server, the handler's fields, and the framing.
    ///
    /// The body's framing follows from `head.contentLength`: with one the body must be exactly so long,
    /// without one it is sent in chunks, or up to the end of the connection in HTTP/1.0.
    /// - Returns: false when the client is gone.
    package func sendHead(_ head: borrowing ResponseHead) -> Bool {
        precondition(!headSent, "the head of a response is sent once")
        headSent = true
        status = head.status
        if head.closesConnection || !request.keepsAlive { keepsConnectionAfter = false }
        framing = chooseFraming(head)
        return lock.withLock { _ in
            appendStatusLine(head)
            if !head.hasDate {
                output.append("Date: ")
                date.append(to: &output)
                output.append(head.hasServer ? "\r\n" : "\r\nServer: Mortise\r\n")
            } else if !head.hasServer {
                output.append("Server: Mortise\r\n")
            }
            output.append(head.block.span)
            appendFraming(head)
            output.append("\r\n")
            return !isBroken
        }
    }

    private func chooseFraming(_ head: borrowing ResponseHead) -> Framing {
        if request.method == .head || head.status == 204 || head.status == 304 { return .bodyless }
        if let length = head.contentLength { return .length(left: length) }
        if request.minorVersion >= 1 { return .chunked }
        keepsConnectionAfter = false
        return .untilClose
    }

    private func appendStatusLine(_ head: borrowing ResponseHead) {
        if head.status == 200 && (head.reason.isEmpty || head.isReasonOK) {
            return output.append("HTTP/1.1 200 OK\r\n")
        }
        output.append("HTTP/1.1 ")
        appendDecimal(UInt64(clamping: head.status), to: &output)
        output.append(UInt8(ascii: " "))
        if head.reason.isEmpty {
            output.append(reasonPhrase(head.status))
        } else {
            output.append(head.reason.span)
        }
        output.append("\r\n")
    }

    private func appendFraming(_ head: borrowing ResponseHead) {
        if case .chunked = framing {
            output.append("Transfer-Encoding: chunked\r\n")
        } else if let length = head.contentLength, head.status != 204 {
            output.append("Content-Length: ")
            appendDecimal(UInt64(clamping: length), to: &output)
            output.append("\r\n")
        }
        if !keepsConnectionAfter {
            output.append("Connection: close\r\n")
        } else if request.minorVersion == 0 {
            output.append("Connection: keep-alive\r\n")
        }
    }

    /// Sends body bytes. Beyond the declared length they are dropped and the connection closes
    /// afterwards: they could be taken for the next response.
    /// - Returns: false when the client is gone.
    package func write(_ bytes: UnsafeRawBufferPointer) -> Bool {
        precondition(headSent, "the head comes before the body")
        guard bytes.count > 0 else { return !isBroken }
        switch framing {
        case .none, .bodyless:
            return !isBroken
        case .untilClose:
            bodyBytes += Int64(bytes.count)
            return send(bytes)
        case .length(let left):
            let count = Int(min(left, Int64(bytes.count)))
            if count < bytes.count { keepsConnectionAfter = false }
            framing = .length(left: left - Int64(count))
            bodyBytes += Int64(count)
            return count == 0 ? !isBroken : send(UnsafeRawBufferPointer(rebasing: bytes[..<count]))
        case .chunked:
            bodyBytes += Int64(bytes.count)
            return sendChunk(bytes)
        }
    }

    /// Sends part of a file as the body, with sendfile(2) and without holding a thread.
    ///
    /// - Returns: false when the client is gone.
    package func sendFile(_ file: consuming Descriptor, offset: Int64, count: Int64) -> Bool {
        switch framing {
        case .length(let left):
            let count = min(left, count)
            framing = .length(left: left - count)
            bodyBytes += count
            return queueFile(file, offset: offset, count: count)
        case .untilClose:
            bodyBytes += count
            return queueFile(file, offset: offset, count: count)
        case .none, .bodyless:
            return !isBroken
        case .chunked:
            preconditionFailure("a file's length is known: it is never sent in chunks")
        }
    }

    /// The normal end of the response. A body shorter than declared cuts the connection.
    package func finish() {
        guard headSent else {
            guard !isBroken else { return }
            return fail(status: 500, reason: "the handler ended without a response")
        }
        switch framing {
        case .length(let left) where left > 0 && !isCut:
            log(
                .error, "the body ended \(left) bytes before its Content-Length; cut the connection"
            )
            isCut = true
        case .chunked where !isCut:
            lock.withLock { _ in output.append("0\r\n\r\n") }
        default:
            break
        }
        framing = .none
    }

    /// Gives up: an error page when no head was sent, else the response is cut. Logs the reason.
    package func fail(status: Int, reason: String) {
        fail(status: status, reason: reason, retryAfter: nil)
    }

    /// Gives up, and tells the client when to come again, in seconds.
    package func fail(status: Int, reason: String, retryAfter: Int?) {
        let text =
            String(decoding: request.bytes[request.methodName.range], as: UTF8.self)
            + " " + String(decoding: request.bytes[request.rawPath.range], as: UTF8.self)
        log(status >= 500 ? .error : .warning, "\(text): \(reason); answered \(status)")
        refuse(status: status, retryAfter: retryAfter)
    }

    /// Answers with an error page and no line in the error log: what clients do wrong is in the access log.
    package func refuse(
        status: Int, retryAfter: Int? = nil, allow: StaticString? = nil
    ) {
        guard !headSent else {
            isCut = true
            return
        }
        var head = ResponseHead()
        head.status = status
        head.addField("Content-Type", "text/html; charset=utf-8")
        if let retryAfter {
            var number: [UInt8] = []
            appendDecimal(UInt64(clamping: retryAfter), to: &number)
            head.addField("Retry-After", number.span)
        }
        if let allow { head.addField("Allow", allow) }
        let page = ErrorPage.html(status: status)
        head.contentLength = Int64(page.count)
        _ = sendHead(head)
        _ = page.withUnsafeBytes { write($0) }
        finish()
    }

    /// Nobody waits for this response any more: nothing else of it is sent, and the access log says 499
    /// (nginx's number for it, which no client ever sees).
    package func abandon() {
        noteStatus(499)
        isCut = true
        isBroken = true
    }

    /// Answers OPTIONS: which methods there are.
    package func allow(_ methods: StaticString) {
        var head = ResponseHead()
        head.status = 204
        head.addField("Allow", methods)
        _ = sendHead(head)
        finish()
    }

    /// Sends the client elsewhere.
    package func redirect(status: Int, location: Span<UInt8>) {
        var head = ResponseHead()
        head.status = status
        head.addField("Location", location)
        head.contentLength = 0
        _ = sendHead(head)
        finish()
    }
}
