// One request and its answer.
// SPDX-License-Identifier: Apache-2.0

package import Exchange
package import ExtensionHost
package import Platform

/// Who runs an exchange again after it has waited without a thread: its connection in HTTP/1.
package protocol ExchangeRunner: AnyObject, Sendable {
    /// What the exchange waited for has come. From any thread, under no lock.
    func resume(_ exchange: Exchange)
    /// The thread that runs it never comes back from its handler; the exchange has its answer. From any thread.
    func handlerWasWrittenOff(_ exchange: Exchange)
}

/// One request with its body, and the answer to it. Knows no socket and no protocol version.
///
/// A handler uses it from one thread at a time, the runner. Objects are reused by later requests: whoever
/// keeps one past its end must hold something that can be withdrawn (a place in a queue) or revoked
/// (`PendingCall`).
package final class Exchange {
    /// What the exchange does, or waits for.
    package enum State {
        /// Head and body arrive.
        case receiving
        /// A handler runs on a thread.
        case running
        /// It waits without a thread for what that handler has asked for; `arrival` will hold it, and that
        /// handler goes on.
        case parked(at: any Handler)
        /// The extension keeps it (HSE_STATUS_PENDING).
        case pending(PendingCall)
        /// Its handler was written off, and has been answered for.
        case writtenOff
        /// The response is complete and on its way.
        case sending
        /// There is nothing more to do.
        case over
    }

    package let request: Request
    package let response: any ResponseStream
    package let errorLog: ErrorLog

    // All below: [runner]; who runs the exchange, or waits for it, passes it on by `ExchangeRunner`.

    package var state = State.receiving
    /// Written by whoever ends the wait of a parked exchange, before `resume()`.
    package var arrival: Arrival?
    /// Its place among the calls of the extension that it is in.
    var callTurn: CallTurn?
    package var body = RequestBody()
    package var route = Route()
    package private(set) var remote = SocketAddress.unix("")
    package private(set) var local = SocketAddress.unix("")
    package private(set) unowned(unsafe) var runner: (any ExchangeRunner)?

    package private(set) var framing = ResponseFraming()
    package private(set) var headSent = false
    /// The response was cut: the client must be able to tell.
    package private(set) var isCut = false
    /// The status sent.
    package private(set) var status = 0
    /// The status for the log when it is another one.
    package private(set) var loggedStatus = 0
    package private(set) var logNote: [UInt8] = []
    /// What was received of a request that could not be parsed, or did not come in time, for the access log.
    package var refused: [UInt8] = []
    package var started = Instant(nanoseconds: 0)
    // Memory that one answer after the other uses.
    private var spareHead = ResponseHead()
    private var scratch: [UInt8] = []
    /// Debug builds know which thread answers.
    private let answering = Holder()

    package init(request: Request, response: any ResponseStream, errorLog: ErrorLog) {
        self.request = request
        self.response = response
        self.errorLog = errorLog
    }

    /// Makes ready for a connection. What the last exchange left is gone since `end()`.
    package func begin(runner: any ExchangeRunner, remote: SocketAddress, local: SocketAddress) {
        self.runner = runner
        self.remote = remote
        self.local = local
    }

    /// Forgets one exchange before the next on the same connection.
    package func reset() {
        state = .receiving
        arrival = nil
        body.reset()
        route.forget()
        framing = ResponseFraming()
        headSent = false
        isCut = false
        status = 0
        loggedStatus = 0
        if !logNote.isEmpty { logNote.removeAll(keepingCapacity: true) }
        if !refused.isEmpty { refused.removeAll(keepingCapacity: true) }
    }

    /// Lets go of the connection.
    package func end() {
        reset()
        runner = nil
    }

    /// What it waited for has come.
    package func resume() { runner?.resume(self) }

    /// See `ExchangeRunner`.
    package func handlerWasWrittenOff() {
        callTurn = nil
        runner?.handlerWasWrittenOff(self)
    }

    // MARK: The response

    /// Sends the head; the body's framing follows from it. Called once, before `write`.
    /// - Returns: false when the client is gone.
    package func sendHead(_ head: borrowing ResponseHead) -> Bool {
        let hasEntered = answering.enter("one thread at a time answers an exchange")
        defer { answering.leave(hasEntered) }
        precondition(!headSent, "the head of a response is sent once")
        headSent = true
        status = head.status
        // What is left of the body may come or not: no request can be found behind it (RFC 9112 §9.3).
        if !body.isComplete { request.refuseKeepAlive() }
        framing = ResponseFraming(
            head, isHead: request.method == .head, isHTTP10: request.minorVersion == 0)
        return response.sendHead(head, framing.form)
    }

    /// Sends body bytes. Beyond the declared length they are dropped: they could be taken for the next
    /// response.
    /// - Returns: false when the client is gone.
    package func write(_ bytes: UnsafeRawBufferPointer) -> Bool {
        let hasEntered = answering.enter("one thread at a time answers an exchange")
        defer { answering.leave(hasEntered) }
        precondition(headSent, "the head comes before the body")
        if isCut { return false }
        let count = Int(framing.admit(Int64(bytes.count)))
        guard count > 0 else { return response.isConnected }
        return response.write(UnsafeRawBufferPointer(rebasing: bytes[..<count]))
    }

    /// Sends part of a file as the body, without holding a thread for the client.
    /// - Returns: false when the client is gone.
    package func sendFile(_ file: consuming Descriptor, offset: Int64, count: Int64) -> Bool {
        let hasEntered = answering.enter("one thread at a time answers an exchange")
        defer { answering.leave(hasEntered) }
        precondition(headSent, "the head comes before the body")
        if isCut { return false }
        let admitted = framing.admit(count)
        guard admitted > 0 else { return response.isConnected }
        return response.sendFile(file, offset: offset, count: admitted)
    }

    /// The normal end of the response. A body shorter than declared cuts it.
    package func finish() {
        let hasEntered = answering.enter("one thread at a time answers an exchange")
        defer { answering.leave(hasEntered) }
        guard !isCut else { return }
        guard headSent else {
            return fail(status: 500, reason: "the handler ended without a response")
        }
        let ending = framing.end()
        if case .short(let missing) = ending {
            guard response.isConnected else { return abandon() }
            log(
                .error,
                "\(requestLine): the body ended \(missing) bytes before its Content-Length; cut the response"
            )
            return cut()
        }
        if framing.dropped > 0 {
            let line = "\(requestLine): dropped \(framing.dropped) bytes beyond its Content-Length"
            route.mapping?.failures.log(.notice, line, of: self)
        }
        response.finish(ending)
    }

    /// The response ends here, and the client can tell that it is not whole.
    package func cut() {
        isCut = true
        response.cut()
    }

    /// Nobody waits for this answer any more: the log says 499, the wire says nothing.
    package func abandon() {
        noteStatus(499)
        cut()
    }

    /// Gives up: an error page when no head was sent, else the response is cut. Logs the reason, as often
    /// as the mapping's failures may be lines.
    package func fail(status: Int, reason: String) {
        fail(status: status, reason: reason, retryAfter: nil)
    }

    /// Gives up, and tells the client when to come again, in seconds.
    package func fail(status: Int, reason: String, retryAfter: Int?) {
        // A handler that could not read its body has not failed: its client has, and that is no line.
        if let failure = body.failure, response.isConnected { return refuse(status: failure) }
        guard let mapping = route.mapping else {
            return failWithLine(status: status, reason: reason, retryAfter: retryAfter)
        }
        mapping.failures.fail(self, status: status, reason: reason, retryAfter: retryAfter)
    }

    /// Gives up, with a line whatever there were before.
    func failWithLine(status: Int, reason: String, retryAfter: Int?) {
        guard response.isConnected else { return abandon() }
        let outcome = headSent ? "cut the response" : "answered \(status)"
        log(status >= 500 ? .error : .warning, "\(requestLine): \(reason); \(outcome)")
        refuse(status: status, retryAfter: retryAfter)
    }

    /// Method and path, for messages.
    package var requestLine: String { request.line }

    // MARK: Memory for handlers

    /// An empty head with the memory of earlier ones; it is given back by `takeBack`.
    func lendHead(status: Int) -> ResponseHead {
        var head = ResponseHead()
        swap(&head, &spareHead)
        head.reset()
        head.status = status
        return head
    }

    func takeBack(_ head: inout ResponseHead) { swap(&head, &spareHead) }

    /// So many bytes that the body may use while it runs.
    func withScratch(count: Int, _ body: (UnsafeMutableRawBufferPointer) -> Void) {
        var lent: [UInt8] = []
        swap(&lent, &scratch)
        if lent.count < count { lent = [UInt8](repeating: 0, count: max(8192, count)) }
        lent.withUnsafeMutableBytes { body(.init(rebasing: $0[..<count])) }
        swap(&lent, &scratch)
    }

    // MARK: The log

    /// The status for the access log when it is not the one sent.
    package func noteStatus(_ status: Int) { loggedStatus = status }

    /// Appends to the access log's query (HSE_APPEND_LOG_PARAMETER).
    package func appendLog(_ bytes: UnsafeRawBufferPointer) {
        let room = max(0, 4096 - logNote.count)
        logNote.append(contentsOf: bytes.prefix(room))
    }

    /// One line in the error log, with the site and the handler.
    package func log(_ level: LogLevel, _ text: String) {
        errorLog.log(level, text, site: route.site?.name, handler: route.handlerName)
    }
}
