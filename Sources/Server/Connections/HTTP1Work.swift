// One turn of an HTTP/1 connection, from bytes to answer to bytes.
// SPDX-License-Identifier: Apache-2.0

import Exchange
import Handlers
import Platform
import Synchronization

/// Goes on from phase to phase until something has to be waited for.
struct HTTP1Work {
    private let connection: Connection
    private let set: WorkingSet
    private let exchange: Exchange
    private let thread: ShardThread
    private let host: Host
    private var requests = 0

    /// Requests after which the others have a turn: edge triggering would bring this one no other event.
    private static let budget = 16

    init(
        _ connection: Connection, _ set: WorkingSet, _ exchange: Exchange, _ thread: ShardThread
    ) {
        self.connection = connection
        self.set = set
        self.exchange = exchange
        self.thread = thread
        host = thread.shard.host
    }

    mutating func run(_ causes: Schedulable.Causes) -> Connection.Rest {
        if connection.life.phase == .handling, let rest = goOn(causes) { return rest }
        while true {
            let rest: Connection.Rest?
            switch connection.life.phase {
            case .idle, .head: rest = readHead()
            case .body: rest = readBody()
            case .handling: rest = handle()
            case .sending: rest = send()
            case .lingering: rest = linger()
            case .free, .offered, .closing: return .closed
            }
            if let rest { return rest }
        }
    }

    // MARK: The head

    private mutating func readHead() -> Connection.Rest? {
        while true {
            if !set.input.isEmpty {
                switch parseHead() {
                case .complete: return route()
                case .refused: return nil
                case .incomplete: break
                }
            }
            if connection.isDrained { return waitForHead() }
            switch receive() {
            case .bytes: continue
            case .wouldBlock: return waitForHead()
            case .end, .failed: return connection.close(reset: false, on: thread)
            }
        }
    }

    private enum HeadState { case complete, incomplete, refused }

    private func parseHead() -> HeadState {
        do throws(RequestError) {
            let length = try set.input.withSpan { (bytes) throws(RequestError) in
                try set.parser.parse(bytes, into: exchange.request)
            }
            guard let length else { return .incomplete }
            set.input.consume(length)
            return .complete
        } catch {
            set.input.withBytes { exchange.refused.append(contentsOf: $0.prefix(1024)) }
            exchange.request.refuse()
            refuse(error.status)
            return .refused
        }
    }

    /// A request that cannot be trusted: its answer is the last one, no byte after it is parsed.
    private func refuse(_ status: Int) {
        exchange.request.refuseKeepAlive()
        set.input.removeAll()
        exchange.refuse(status: status)
        connection.life.refused()
    }

    private func waitForHead() -> Connection.Rest {
        if set.input.isEmpty {
            if connection.life.requests > 0 {
                connection.life.becameIdle(host.connectionLimits, now: CoarseClock.now)
            }
            connection.endWork(on: thread)
            connection.isIdle.store(true, ordering: .relaxed)
            thread.shard.resumeAccepting()
        } else {
            connection.life.headBegan(host.connectionLimits, now: .now)
        }
        return .waiting
    }

    // MARK: The body

    /// The head is complete: finds the handler, and receives the body if that handler takes one.
    private mutating func route() -> Connection.Rest? {
        exchange.started = CoarseClock.now
        connection.life.headCompleted()
        requests += 1
        let request = exchange.request
        if host.isLeaving, connection.life.isUnwanted || !host.handsOver {
            request.refuseKeepAlive()
        }
        let mapping = host.router.route(exchange)
        connection.mapping = mapping
        guard request.hasBody else { return nil }
        let isTaken = mapping?._withUnsafeGuaranteedRef { $0.handler.takesBody(of: request) }
        guard isTaken == true else {
            dropBody()
            return nil
        }
        exchange.body.begin(request)
        if request.isChunked || (request.contentLength ?? 0) > Int64(InputBuffer.initialSize) {
            set.input.growForBody()
        }
        if request.expectsContinue && set.input.isEmpty { set.response.sendContinue() }
        connection.life.bodyBegan(host.connectionLimits, now: exchange.started)
        return nil
    }

    /// Nobody reads this body. A small one that is here already is skipped, else the connection ends.
    private func dropBody() {
        let request = exchange.request
        if let length = request.contentLength, length <= Int64(set.input.count) {
            set.input.consume(Int(length))
        } else {
            set.input.removeAll()
            request.refuseKeepAlive()
        }
    }

    private func readBody() -> Connection.Rest? {
        while true {
            switch takeBody() {
            case .complete:
                connection.life.bodyCompleted()
                return nil
            case .refused(let status):
                if status == 507 { logFullSpool("limits.spool is used up") }
                refuse(status)
                return nil
            case .unkept(let error):
                logFullSpool("\(error)")
                refuse(507)
                return nil
            case .incomplete: break
            }
            if connection.isDrained { return .waiting }
            switch receive() {
            case .bytes(let count):
                let isFast = connection.life.bodyCame(count, host.connectionLimits, now: .now)
                if !isFast {
                    refuse(408)
                    return nil
                }
            case .wouldBlock: return .waiting
            case .end:
                // The client has said that no more comes (RFC 9112 §8).
                refuse(400)
                return nil
            case .failed: return connection.close(reset: true, on: thread)
            }
        }
    }

    private func takeBody() -> RequestBody.Receipt {
        var taken = 0
        let receipt = set.input.withBytes {
            exchange.body.receive($0, taken: &taken, host.bodyLimits)
        }
        set.input.consume(taken)
        return receipt
    }

    private func logFullSpool(_ reason: String) {
        host.complaints.log(
            "body", .error,
            "cannot keep a request body in \(host.bodyLimits.folder): \(reason); answered 507")
    }

    // MARK: The answer

    /// A connection whose handler has been called, or waits for a thread that may call it. Nil: goes on.
    private func goOn(_ causes: Schedulable.Causes) -> Connection.Rest? {
        switch exchange.state {
        case .receiving: return nil
        case .parked(let handler):
            if causes.contains(.resumed) { return resume(at: handler) }
            // Its client has gone: it waits no longer, unless something is arriving just now.
            guard !exchange.response.isConnected, handler.withdraw(exchange) else {
                return .waiting
            }
            exchange.abandon()
            connection.life.answered()
            return nil
        case .pending:
            guard causes.contains(.resumed) else { return .waiting }
            exchange.finish()
            connection.life.answered()
            return nil
        case .running, .sending, .over:
            preconditionFailure("a handler runs and another thread has its connection's turn")
        }
    }

    private func resume(at handler: any Handler) -> Connection.Rest? {
        guard thread.startsHandlers else {
            _ = connection.wake(.resumed)
            return .needsThread
        }
        connection.life.handlerBegan()
        thread.mayBlock()
        thread.handling.store(connection.slot, ordering: .relaxed)
        return finish(handler.resume(exchange))
    }

    private func handle() -> Connection.Rest? {
        guard let mapping = connection.mapping, !exchange.headSent else {
            connection.life.answered()
            return nil
        }
        guard thread.startsHandlers else { return .needsThread }
        connection.life.handlerBegan()
        exchange.state = .running
        thread.handling.store(connection.slot, ordering: .relaxed)
        return mapping._withUnsafeGuaranteedRef { mapping in
            if mapping.waitsForOthers { thread.mayBlock() }
            return finish(mapping.handler.answer(exchange))
        }
    }

    private func finish(_ answer: Answer) -> Connection.Rest? {
        let settled = host.router.settle(answer, exchange, connection, on: thread)
        thread.handling.store(-1, ordering: .relaxed)
        switch settled {
        case .done:
            connection.life.answered()
            return nil
        case .parked:
            // The exchange may be running elsewhere as soon as the turn is given back, not before.
            if case .pending = exchange.state {
                connection.life.becamePending(
                    until: Instant.now.adding(seconds: host.pendingTimeout))
            }
            return .waiting
        }
    }

    // MARK: The response

    private func send() -> Connection.Rest? {
        exchange.state = .sending
        if exchange.isCut {
            set.response.completeCut()
        } else if set.response.complete() == .blocked {
            return .waiting
        }
        exchange.state = .over
        host.logAccess(exchange)
        return follow()
    }

    private func follow() -> Connection.Rest? {
        let request = exchange.request
        let seen = HTTP1Life.AfterResponse(
            isCut: exchange.isCut || !set.response.isConnected,
            keepsConnection: set.response.keepsConnection && request.keepsAlive
                && !exchange.framing.hasOverrun,
            hasBody: request.hasBody, isDrained: connection.isDrained,
            hasInput: !set.input.isEmpty, isLeaving: host.isLeaving, canOffer: host.handsOver)
        switch connection.life.following(seen) {
        case .reset: return connection.close(reset: true, on: thread)
        case .close: return connection.close(reset: false, on: thread)
        case .linger:
            connection.transport.shutdownWrite()
            set.input.removeAll()
            connection.life.lingers(host.connectionLimits, now: .now)
            return nil
        case .offer:
            return connection.leave(on: thread)
        case .next:
            set.reset()
            connection.life.becameIdle(host.connectionLimits, now: CoarseClock.now)
            // Others wait for this thread: what it has woken, or what is in the queue.
            let isSpent = requests >= Self.budget || thread.hasNext
            return isSpent && (!set.input.isEmpty || !connection.isDrained) ? .yields : nil
        }
    }

    private func linger() -> Connection.Rest? {
        while true {
            switch receive() {
            case .bytes(let count):
                set.input.removeAll()
                guard connection.life.lingersOn(count) else {
                    return connection.close(reset: false, on: thread)
                }
            case .wouldBlock: return .waiting
            case .end, .failed: return connection.close(reset: false, on: thread)
            }
        }
    }

    private func receive() -> Socket.Transfer {
        let result = set.input.receive(
            from: connection.transport, isDrained: &connection.isDrained)
        // After the bytes before the end of the stream comes no other event.
        if connection.mayHaveEnded, case .bytes = result { connection.isDrained = false }
        return result
    }
}
