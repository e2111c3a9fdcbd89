// One request to one worker: when to send, when to receive, when to give up.
// SPDX-License-Identifier: Apache-2.0

import Exchange
import Platform

/// The state of one relayed request.
///
///     open ──END_REQUEST──► over          the answer is complete
///     open ──client gone──► abandoned     FCGI_ABORT_REQUEST, then a grace
///     open ──fault────────► over          502, 503, 504, or the response is cut
///     abandoned ──END_REQUEST or grace──► over
struct FastCGIConversation {
    enum Phase: Equatable { case open, abandoned, over }

    let exchange: Exchange
    let worker: WorkerConnection
    let relay: FastCGIRelay
    let id: UInt16
    var phase = Phase.open
    var outcome = RelayOutcome.answered
    /// Something was seen after which no request may follow on this connection.
    var isTainted = false

    // Sending, see FastCGIConversation+Sending.swift.
    /// Of `worker.output`.
    var sent = 0
    var sentAnything = false
    /// Body bytes put into `worker.output`.
    var bodyOffset: Int64 = 0
    var isBodyEnded = false
    /// The worker takes no more: it has closed its side, or the request is abandoned.
    var hasStoppedSending = false

    // Receiving, see FastCGIConversation+Receiving.swift.
    var decoder = FastCGIDecoder()
    var record = FastCGIHeader(type: 0, requestID: 0, contentLength: 0, paddingLength: 0)
    var receivedAnything = false
    var isHeadRead = false
    /// Body bytes go nowhere: a redirect, or nobody listens.
    var discards = false
    var isOutputEnded = false

    // Deadlines.
    var requestDeadline: Instant
    var lastActivity: Instant

    init(_ exchange: Exchange, _ worker: WorkerConnection, _ relay: FastCGIRelay) {
        self.exchange = exchange
        self.worker = worker
        self.relay = relay
        id = worker.nextRequestID()
        let now = CoarseClock.now
        lastActivity = now
        requestDeadline = now.adding(seconds: relay.requestTimeout)
    }

    mutating func run() -> RelayEnd {
        guard encodeRequest() else {
            exchange.fail(status: 431, reason: "a field is too long for a FastCGI record")
            return RelayEnd(outcome: .answered, fate: .reusable)
        }
        worker.requestsServed += 1
        worker.collector.reset(&worker.head.pointee)
        send(first: true)
        while phase != .over {
            if isSending { exchangeBothWays() } else { receive(wait: true) }
        }
        if isSending || hasStoppedSending { isTainted = true }
        exchange.logRest(&worker.errors, of: worker.pid, at: lastActivity)
        if worker.output.capacity > 256 * 1024 { worker.output = [] }
        return RelayEnd(outcome: outcome, fate: isTainted ? .broken : .reusable)
    }

    var isSending: Bool {
        !hasStoppedSending && (sent < worker.output.count || !isBodyEnded)
    }

    /// While a body is being sent: the worker may answer before it has read everything.
    private mutating func exchangeBothWays() {
        let ready = Socket.wait(
            worker.socket.number, for: [.readable, .writable], milliseconds: pause())
        if ready.isEmpty { return look() }
        if !ready.isDisjoint(with: [.readable, .hangUp, .error]) { receive(wait: false) }
        if phase == .open, isSending, ready.contains(.writable) { send(first: false) }
        look()
    }

    /// Looks at the deadlines and at the client.
    mutating func look(at now: Instant = .now) {
        guard phase != .over else { return }
        if phase == .abandoned {
            if now >= requestDeadline { end(tainted: true) }
            return
        }
        if now >= requestDeadline {
            fail(504, "the worker did not finish within \(relay.requestTimeout) s")
        } else if now.seconds(since: lastActivity) >= relay.activityTimeout {
            fail(504, "the worker was silent for \(relay.activityTimeout) s")
        } else if !exchange.isConnected {
            abandon(at: now)
        }
    }

    /// Waits a while for the worker's bytes, or until the client goes away.
    mutating func pauseForWorker() {
        _ = Socket.wait(worker.socket.number, for: .readable, milliseconds: pause())
    }

    /// Milliseconds until there is something to look at: at most a second.
    private func pause() -> Int32 {
        let activity = lastActivity.adding(seconds: relay.activityTimeout)
        let deadline = phase == .abandoned ? requestDeadline : min(requestDeadline, activity)
        let left = deadline.pollTimeout()
        return left < 0 ? 1000 : min(left, 1000)
    }

    /// Nobody waits for this answer any more.
    mutating func abandon(at now: Instant) {
        guard phase == .open else { return }
        exchange.refuse(status: 499)
        outcome = .answered
        discards = true
        // In the middle of a record nothing else can be said.
        guard sent == worker.output.count, !hasStoppedSending else { return end(tainted: true) }
        if !isBodyEnded { hasStoppedSending = true }
        phase = .abandoned
        requestDeadline = now.adding(seconds: relay.grace)
        sendAbort()
    }

    /// The worker is to blame, or its deadline has passed.
    mutating func fail(_ status: Int, _ reason: String, retryAfter: Int? = nil) {
        if phase == .open {
            outcome = .answered
            exchange.fail(
                status: status,
                reason: "\(reason) (pool \(relay.poolName), pid \(worker.pid))",
                retryAfter: retryAfter)
        }
        end(tainted: true)
    }

    mutating func end(tainted: Bool) {
        phase = .over
        if tainted { isTainted = true }
    }

    /// The connection broke before the end of the answer.
    ///
    /// Rationale: a foreign program may leave after so many requests of its own counting (php-cgi after
    /// 500) in the moment the next one is sent. What it had not read is asked again, if asking twice is
    /// harmless (RFC 9110 §9.2.1). A mortise worker never leaves so: one that is gone has crashed.
    mutating func lost(_ reason: String, wasUnread: Bool) {
        let method = exchange.request.method
        let isRepeatable =
            (method == .get || method == .head || method == .options)
            && exchange.body.length == 0 && !relay.isWorker
        if phase == .open, !receivedAnything, !exchange.headSent,
            !sentAnything || wasUnread && isRepeatable
        {
            outcome = .retry
            return end(tainted: true)
        }
        fail(502, reason)
    }
}
