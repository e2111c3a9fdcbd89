// One request to one worker: when to send, when to receive, when to give up.
// SPDX-License-Identifier: Apache-2.0

import Exchange
import Platform

/// The state of one relayed request.
///
///     open ──END_REQUEST──► over          the answer is complete
///     open ──client gone──► aborted       our own worker: FCGI_ABORT_REQUEST, then a grace
///     open ──client gone──► over          a foreign program: its connection is closed, see `abandon`
///     open ──fault────────► over          502, 503, 504, or the response is cut
///     aborted ──END_REQUEST or grace──► over
struct FastCGIConversation {
    private enum Phase { case open, aborted, over }

    /// Bytes besides the answer's - standard error, headers, what nobody wants - that a worker may send in
    /// one request before they are read slowly.
    private static let freeNoise = 4 << 20
    /// Milliseconds between two reads of noise beyond that: at most 1.3 MB in a second.
    private static let noisePause = 50

    private let exchange: Exchange
    private let worker: WorkerConnection
    private let relay: FastCGIRelay
    private let keepsConnection: Bool
    private var request: RequestRecords
    private var answer: AnswerRecords
    private var phase = Phase.open
    private var outcome = RelayOutcome.answered
    private var fate = WorkerFate.reusable
    private var noise = 0

    /// When the clock was last read, exactly.
    private var now: Instant
    private var requestDeadline: Instant
    /// When the worker last took a part of the request or gave a part of the answer. Its standard error
    /// is neither.
    private var lastProgress: Instant

    init(_ exchange: Exchange, _ worker: WorkerConnection, _ relay: FastCGIRelay) {
        self.exchange = exchange
        self.worker = worker
        self.relay = relay
        keepsConnection = relay.isWorker || worker.conduct.kind != .closesConnections
        request = RequestRecords(id: worker.nextRequestID())
        answer = AnswerRecords(exchange, worker, relay, id: request.id)
        now = .now
        lastProgress = now
        requestDeadline = now.adding(seconds: relay.requestTimeout)
    }

    mutating func run() -> RelayEnd {
        let fits = request.encode(
            exchange, for: worker, isWorker: relay.isWorker, keepsConnection: keepsConnection)
        guard fits else {
            relay.failures.fail(
                exchange, status: 431, reason: "a field is too long for a FastCGI record")
            return RelayEnd(outcome: .answered, fate: .reusable)
        }
        if let end = begin() { return end }
        while phase != .over {
            if request.isUnfinished(worker) { exchangeBothWays() } else { receive(wait: true) }
            if phase != .over { checkDeadlines() }
        }
        exchange.logRest(&worker.errors, of: .worker(pid: worker.pid), relay.errorLines, at: now)
        if worker.output.capacity > 256 * 1024 { worker.output = [] }
        return RelayEnd(outcome: outcome, fate: fate)
    }

    // MARK: The first send

    /// Sends the request, over a new connection when the one there was is closed. An end: this worker
    /// cannot be reached, and nothing of the request has left.
    ///
    /// Rationale: what has left is never sent again. That the connection was reset afterwards does not
    /// tell whether the worker has read it (a Unix socket is reset also after a part was read). So a
    /// request may be sent again only when connecting, or the first send, failed.
    private mutating func begin() -> RelayEnd? {
        let unreached = RelayEnd(outcome: .unreached, fate: .broken)
        if worker.isConnected, relay.isWorker || worker.mayReuseConnection() {
            if sendFirst() { return nil }
            worker.foundClosed()
        }
        // A foreign program may close a connection when it likes: php-cgi one that stays silent for 5 s
        // after it was accepted, others each one. Its process lives, or has a successor on the same
        // socket. Our own worker does not close before we do: one that has is dead.
        if worker.isConnected {
            worker.disconnect()
            guard !relay.isWorker else { return unreached }
        }
        do throws(SystemError) {
            try worker.connect()
        } catch {
            return error.isShortage ? cannotConnect(error) : unreached
        }
        return sendFirst() ? nil : unreached
    }

    /// This process has no descriptor or no memory left, which is not the worker's fault.
    private func cannotConnect(_ error: SystemError) -> RelayEnd {
        relay.failures.fail(
            exchange, status: 503, reason: "no connection to a worker: \(error)", retryAfter: 1)
        return RelayEnd(outcome: .answered, fate: .reusable)
    }

    private mutating func sendFirst() -> Bool {
        guard request.sendFirst(to: worker) != .untouched else { return false }
        worker.requestsOnConnection += 1
        worker.requestsServed += 1
        return true
    }

    // MARK: Both ways

    /// While a body is being sent: the worker may answer before it has read everything.
    private mutating func exchangeBothWays() {
        let ready = Socket.wait(
            worker.socket, for: [.readable, .writable],
            milliseconds: Int32(WorkerConnection.waitSlice))
        if !ready.isDisjoint(with: [.readable, .hangUp, .error]) { receive(wait: false) }
        guard phase == .open, request.isUnfinished(worker), ready.contains(.writable) else {
            return
        }
        switch request.sendMore(of: exchange, to: worker) {
        case .some: lastProgress = .now
        case .nothingNow, .noMore: break
        case .untouched: fail(502, "the worker has closed its connection")
        case .bodyUnreadable: fail(500, "the request's body cannot be read back")
        }
    }

    private mutating func receive(wait: Bool) {
        switch Socket.receive(worker.socket, into: worker.input, dontWait: !wait) {
        case .bytes(let count): received(count)
        case .end: fail(502, "the worker ended before it had answered")
        case .failed: fail(502, "the worker broke its connection")
        case .wouldBlock: break
        }
    }

    private mutating func received(_ count: Int) {
        now = .now
        let arrived = now
        switch answer.read(count, at: now) {
        case .unfinished: if answer.isUnwanted, phase == .open { return abandon() }
        case .complete: return complete()
        case .failed(let status, let reason, let retryAfter):
            return fail(status, reason, retryAfter: retryAfter)
        }
        if answer.outputBytes > 0 { lastProgress = arrived }
        now = .now
        let written = now.seconds(since: arrived)
        if written > 0.01 {
            // The time a slow client takes for its bytes is not the worker's.
            requestDeadline = requestDeadline.adding(seconds: written)
            lastProgress = lastProgress.adding(seconds: written)
        }
        slowDown(noise: count - answer.outputBytes, of: count)
    }

    /// A worker that says a lot besides its answer is read slowly, and has to wait for us. It must not
    /// cost more of a processor than a request that answers.
    private mutating func slowDown(noise new: Int, of count: Int) {
        noise = min(noise + new, Self.freeNoise)
        guard noise == Self.freeNoise, new > count / 2 else { return }
        Thread.sleep(milliseconds: Self.noisePause)
    }

    /// After each step, by the exact clock: a worker that keeps talking ends in time like a silent one.
    private mutating func checkDeadlines() {
        now = .now
        if phase == .aborted {
            if now >= requestDeadline { end(.broken) }
        } else if now >= requestDeadline {
            fail(504, "the worker did not finish within \(relay.requestTimeout) s")
        } else if now.seconds(since: lastProgress) >= relay.activityTimeout {
            fail(504, "the worker was silent for \(relay.activityTimeout) s")
        } else if !exchange.isConnected {
            abandon()
        }
    }

    // MARK: Ends

    /// FCGI_END_REQUEST has come.
    private mutating func complete() {
        worker.answered()
        if phase == .open {
            if answer.isUnwanted { exchange.abandon() }
            if let path = answer.redirect { outcome = .redirect(path: path) }
        }
        // A worker that has not read the whole request starts afresh with another connection, and so does
        // one that was asked not to keep this one.
        let isCutShort = request.isUnfinished(worker) || request.isCutShort
        if isCutShort || !keepsConnection { worker.disconnect() }
        end(answer.isTainted ? .broken : .reusable)
    }

    /// Nobody waits for this answer any more.
    ///
    /// Rationale: our own worker ends the request when it is told to. Foreign programs fall over
    /// FCGI_ABORT_REQUEST (pure-Ruby fcgi.rb raises, php-cgi ignores it), so their connection is closed.
    /// Such a program may compute on; it gets no other request before it has shown, by accepting a
    /// connection of the supervisor's, that it is through with this one. It is killed when that takes
    /// longer than a second, see `PoolLedger`.
    private mutating func abandon() {
        guard phase == .open else { return }
        exchange.abandon()
        answer.isUnwanted = true
        guard relay.isWorker else {
            worker.disconnect()
            return end(.abandoned)
        }
        guard request.isBetweenRecords(worker), request.abort(worker) else { return end(.broken) }
        phase = .aborted
        requestDeadline = now.adding(seconds: relay.grace)
    }

    /// The worker is to blame, or its deadline has passed.
    private mutating func fail(_ status: Int, _ reason: String, retryAfter: Int? = nil) {
        if phase == .open {
            relay.failures.fail(
                exchange, status: status,
                reason: "\(reason) (pool \(relay.poolName), pid \(worker.pid))",
                retryAfter: retryAfter)
        }
        end(.broken)
    }

    private mutating func end(_ fate: WorkerFate) {
        phase = .over
        self.fate = fate
    }
}
