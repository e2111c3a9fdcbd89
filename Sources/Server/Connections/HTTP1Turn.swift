// One turn of an HTTP/1 connection, from bytes to answer to bytes.
// SPDX-License-Identifier: Apache-2.0

import Exchange
import Handlers
import Platform
import Synchronization

/// Goes on from phase to phase until something has to be waited for.
///
/// Functions of the three objects that a turn is about, handed from one to the next and never stored:
/// storing would count references to what all threads share.
enum HTTP1Turn {
    /// Requests after which the others have a turn: edge triggering would bring this one no other event.
    private static let budget = 16

    static func run(
        _ connection: Connection, _ set: HTTP1WorkingSet, _ thread: ShardThread,
        _ causes: Schedulable.Causes
    ) -> Connection.RunEnd {
        if connection.life.phase == .handling, let end = goOn(connection, set, thread, causes) {
            return end
        }
        while true {
            let end: Connection.RunEnd?
            switch connection.life.phase {
            case .idle, .head: end = readHead(connection, set, thread)
            case .body: end = readBody(connection, set, thread)
            case .handling: end = handle(connection, set, thread)
            case .sending: end = send(connection, set, thread)
            case .lingering: end = linger(connection, set, thread)
            case .free, .offered, .closing: return .closed
            }
            if let end { return end }
        }
    }

    // MARK: The head

    private static func readHead(
        _ connection: Connection, _ set: HTTP1WorkingSet, _ thread: ShardThread
    ) -> Connection.RunEnd? {
        while true {
            if !set.input.isEmpty {
                switch parseHead(connection, set, thread) {
                case .complete: return route(connection, set, thread)
                case .refused: return nil
                case .incomplete: break
                }
            }
            if connection.isDrained { return waitForHead(connection, set, thread) }
            switch receive(connection, set, thread) {
            case .bytes: continue
            case .wouldBlock: return waitForHead(connection, set, thread)
            case .end, .failed: return connection.close(reset: false, on: thread)
            }
        }
    }

    private enum HeadState { case complete, incomplete, refused }

    private static func parseHead(
        _ connection: Connection, _ set: HTTP1WorkingSet, _ thread: ShardThread
    ) -> HeadState {
        do throws(RequestError) {
            let length = try set.input.withSpan { (bytes) throws(RequestError) in
                try set.parser.parse(bytes, into: set.exchange.request)
            }
            guard let length else { return .incomplete }
            set.input.consume(length)
            return .complete
        } catch {
            set.refuseHead()
            refuse(connection, set, thread, error.status)
            return .refused
        }
    }

    /// A request that cannot be trusted: its answer is the last one, no byte after it is parsed.
    private static func refuse(
        _ connection: Connection, _ set: HTTP1WorkingSet, _ thread: ShardThread, _ status: Int
    ) {
        set.exchange.request.refuseKeepAlive()
        set.input.removeAll()
        set.exchange.refuse(status: status)
        connection.life.refused()
    }

    private static func waitForHead(
        _ connection: Connection, _ set: HTTP1WorkingSet, _ thread: ShardThread
    ) -> Connection.RunEnd {
        if set.input.isEmpty {
            if connection.life.requests > 0 {
                connection.life.becameIdle(thread.shard.host.connectionLimits, now: CoarseClock.now)
            }
            connection.endWork(on: thread)
            connection.markIdle()
            thread.shard.resumeAccepting()
        } else {
            connection.life.headBegan(thread.shard.host.connectionLimits, now: .now)
        }
        return .waiting
    }

    // MARK: The body

    /// The head is complete: finds the handler, and receives the body if that handler takes one.
    private static func route(
        _ connection: Connection, _ set: HTTP1WorkingSet, _ thread: ShardThread
    ) -> Connection.RunEnd? {
        set.exchange.started = CoarseClock.now
        connection.life.headCompleted()
        set.requestsInTurn += 1
        let request = set.exchange.request
        if thread.shard.host.isLeaving, connection.life.isUnwanted || !thread.shard.host.handsOver {
            request.refuseKeepAlive()
        }
        let mapping = thread.shard.host.router.route(set.exchange)
        set.mapping = mapping
        guard request.hasBody else { return nil }
        let isTaken = mapping?._withUnsafeGuaranteedRef { $0.handler.takesBody(of: request) }
        guard isTaken == true else {
            dropBody(connection, set, thread)
            return nil
        }
        if request.isChunked || (request.contentLength ?? 0) > Int64(InputBuffer.initialSize) {
            set.input.growForBody()
        }
        let preloads = mapping?._withUnsafeGuaranteedRef { $0.preloadsBody } == true
        set.exchange.body.begin(
            .init(request),
            from: preloads ? HTTP1BodySource(connection, set, thread.shard.host) : nil)
        if HTTP1BodySource.owesContinue(set) {
            // An extension that may refuse early is asked first.
            if preloads { return nil }
            set.response.sendContinue()
        }
        connection.life.bodyBegan(thread.shard.host.connectionLimits, now: set.exchange.started)
        return nil
    }

    /// Nobody reads this body. A small one that is here already is skipped, else the connection ends.
    private static func dropBody(
        _ connection: Connection, _ set: HTTP1WorkingSet, _ thread: ShardThread
    ) {
        let request = set.exchange.request
        if let length = request.contentLength, length <= Int64(set.input.count) {
            set.input.consume(Int(length))
        } else {
            set.input.removeAll()
            request.refuseKeepAlive()
        }
    }

    private static func readBody(
        _ connection: Connection, _ set: HTTP1WorkingSet, _ thread: ShardThread
    ) -> Connection.RunEnd? {
        while true {
            switch takeBody(connection, set, thread) {
            case .complete, .preloaded:
                connection.life.bodyCompleted()
                return nil
            case .refused(let status):
                if status == 507 {
                    logFullSpool(connection, set, thread, "limits.spool is used up")
                }
                refuse(connection, set, thread, status)
                return nil
            case .unkept(let error):
                logFullSpool(connection, set, thread, "\(error)")
                refuse(connection, set, thread, 507)
                return nil
            case .incomplete: break
            }
            if connection.isDrained { return .waiting }
            switch receive(connection, set, thread) {
            case .bytes(let count):
                let isFast = connection.life.bodyCame(
                    count, thread.shard.host.connectionLimits, now: .now)
                if !isFast {
                    refuse(connection, set, thread, 408)
                    return nil
                }
            case .wouldBlock: return .waiting
            case .end:
                // The client has said that no more comes (RFC 9112 §8).
                refuse(connection, set, thread, 400)
                return nil
            case .failed: return connection.close(reset: true, on: thread)
            }
        }
    }

    private static func takeBody(
        _ connection: Connection, _ set: HTTP1WorkingSet, _ thread: ShardThread
    ) -> RequestBody.Receipt {
        var taken = 0
        let receipt = set.input.withBytes {
            set.exchange.body.receive($0, taken: &taken, thread.shard.host.bodyLimits)
        }
        set.input.consume(taken)
        return receipt
    }

    private static func logFullSpool(
        _ connection: Connection, _ set: HTTP1WorkingSet, _ thread: ShardThread, _ reason: String
    ) {
        thread.shard.host.complaints.log(
            "body", .error,
            "\(set.exchange.requestLine): cannot keep its body in"
                + " \(thread.shard.host.bodyLimits.folder): \(reason); answered 507",
            about: set.exchange)
    }

    // MARK: The answer

    /// A connection whose handler has been called, or waits for a thread that may call it. Nil: goes on.
    private static func goOn(
        _ connection: Connection, _ set: HTTP1WorkingSet, _ thread: ShardThread,
        _ causes: Schedulable.Causes
    ) -> Connection.RunEnd? {
        switch set.exchange.state {
        case .receiving:
            if causes.contains(.overdue) { refuseOverdue(connection, set, thread) }
            return nil
        case .parked(let handler):
            if causes.contains(.overdue) {
                refuseOverdue(connection, set, thread)
                return nil
            }
            if causes.contains(.resumed) { return resume(connection, set, thread, at: handler) }
            // Its client has gone: it waits no longer, unless something is arriving just now.
            guard !set.exchange.response.isConnected, handler.withdraw(set.exchange) else {
                return .waiting
            }
            set.exchange.abandon()
            connection.life.answered()
            return nil
        case .writtenOff:
            // The client of a server whose threads get lost is better off with another connection.
            set.exchange.request.refuseKeepAlive()
            set.exchange.finish()
            connection.life.answered()
            return nil
        case .pending:
            guard causes.contains(.resumed) else { return .waiting }
            set.exchange.finish()
            connection.life.answered()
            return nil
        case .running, .sending, .over:
            preconditionFailure("a handler runs and another thread has its connection's turn")
        }
    }

    /// No thread that may run its handler became free in time.
    private static func refuseOverdue(
        _ connection: Connection, _ set: HTTP1WorkingSet, _ thread: ShardThread
    ) {
        // A worker that was to be its goes back.
        set.exchange.arrival = nil
        set.exchange.fail(
            status: 503,
            reason:
                "waited \(thread.shard.host.queueTimeout) s for a thread; all of threads.max are at"
                + " work or blocked: find what holds them, or raise it",
            retryAfter: 1)
        connection.life.answered()
    }

    private static func resume(
        _ connection: Connection, _ set: HTTP1WorkingSet, _ thread: ShardThread,
        at handler: any Handler
    ) -> Connection.RunEnd? {
        guard thread.startsHandlers else {
            _ = connection.wake(.resumed)
            return .needsThread
        }
        connection.life.handlerBegan()
        thread.mayBlock()
        thread.handling.store(.passUnretained(connection.output), ordering: .releasing)
        return finish(connection, set, thread, handler.resume(set.exchange))
    }

    private static func handle(
        _ connection: Connection, _ set: HTTP1WorkingSet, _ thread: ShardThread
    ) -> Connection.RunEnd? {
        guard let mapping = set.mapping, !set.exchange.headSent else {
            connection.life.answered()
            return nil
        }
        guard thread.startsHandlers else { return .needsThread }
        if set.exchange.body.isArriving {
            return handleArriving(connection, set, thread, mapping)
        }
        return call(connection, set, thread, mapping)
    }

    /// A handler that may wait for its client holds its thread meanwhile. Never more than half of them do:
    /// beyond, the whole body is received first.
    private static func handleArriving(
        _ connection: Connection, _ set: HTTP1WorkingSet, _ thread: ShardThread,
        _ mapping: Unmanaged<RoutedMapping>
    ) -> Connection.RunEnd? {
        guard thread.shard.arrivingCalls.enter() else {
            if HTTP1BodySource.owesContinue(set) { set.response.sendContinue() }
            set.exchange.body.receiveWhole()
            connection.life.bodyBegan(thread.shard.host.connectionLimits, now: .now)
            return nil
        }
        thread.isInArrivingCall.store(true, ordering: .releasing)
        defer {
            thread.isInArrivingCall.store(false, ordering: .relaxed)
            thread.shard.arrivingCalls.leave()
        }
        // The handler receives what this thread will not know of.
        connection.isDrained = false
        return call(connection, set, thread, mapping)
    }

    private static func call(
        _ connection: Connection, _ set: HTTP1WorkingSet, _ thread: ShardThread,
        _ mapping: Unmanaged<RoutedMapping>
    ) -> Connection.RunEnd? {
        connection.life.handlerBegan()
        set.exchange.state = .running
        thread.handling.store(.passUnretained(connection.output), ordering: .releasing)
        return mapping._withUnsafeGuaranteedRef { mapping in
            if mapping.waitsForOthers { thread.mayBlock() } else { thread.giveNext() }
            thread.mayKeepNext = mapping.waitsForOthers
            return finish(connection, set, thread, mapping.handler.answer(set.exchange))
        }
    }

    private static func finish(
        _ connection: Connection, _ set: HTTP1WorkingSet, _ thread: ShardThread, _ answer: Answer
    ) -> Connection.RunEnd? {
        let settled = thread.shard.host.router.settle(answer, set.exchange, on: thread)
        thread.handling.store(nil, ordering: .relaxed)
        thread.mayKeepNext = true
        switch settled {
        case .done:
            connection.life.answered()
            return nil
        case .parked:
            // The exchange may be running elsewhere as soon as the turn is given back, not before.
            if case .pending = set.exchange.state {
                connection.output.flushForOthers(on: thread)
                connection.life.becamePending(
                    until: Instant.now.adding(seconds: thread.shard.host.pendingTimeout))
            }
            return .waiting
        }
    }

    // MARK: The response

    private static func send(
        _ connection: Connection, _ set: HTTP1WorkingSet, _ thread: ShardThread
    ) -> Connection.RunEnd? {
        set.exchange.state = .sending
        if set.exchange.isCut {
            set.response.completeCut()
        } else if set.response.complete() == .blocked {
            return .waiting
        }
        set.exchange.state = .over
        if set.exchange.isCut || !set.response.isConnected {
            logCut(set, thread)
        } else {
            thread.shard.host.logAccess(set.exchange)
        }
        return follow(connection, set, thread)
    }

    /// Not all that the handler has said has been sent.
    private static func logCut(_ set: HTTP1WorkingSet, _ thread: ShardThread) {
        let exchange = set.exchange
        switch set.response.takeCutReason() {
        case .client(let what):
            thread.shard.host.complaints.log(
                "slow", .notice,
                "\(exchange.requestLine): the client \(exchange.remote.host) was given up: it"
                    + " \(what)", about: exchange)
        case .file(let what):
            thread.shard.host.complaints.log(
                "file", .error, "\(exchange.requestLine): \(what); cut the response",
                about: exchange)
        case nil: break
        }
        thread.shard.host.logAccess(exchange, sent: set.response.bodySent)
    }

    private static func follow(
        _ connection: Connection, _ set: HTTP1WorkingSet, _ thread: ShardThread
    ) -> Connection.RunEnd? {
        let request = set.exchange.request
        let seen = HTTP1Life.AfterResponse(
            isCut: set.exchange.isCut || !set.response.isConnected,
            keepsConnection: set.response.keepsConnection && request.keepsAlive,
            hasBody: request.hasBody, isDrained: connection.isDrained,
            hasInput: !set.input.isEmpty, isLeaving: thread.shard.host.isLeaving,
            canOffer: thread.shard.host.handsOver)
        switch connection.life.following(seen) {
        case .reset: return connection.close(reset: true, on: thread)
        case .close: return connection.close(reset: false, on: thread)
        case .linger:
            connection.endStream()
            set.input.removeAll()
            connection.life.lingers(thread.shard.host.connectionLimits, now: .now)
            return nil
        case .offer: return connection.leave(on: thread) ?? waitForNext(connection, set, thread)
        case .next: return waitForNext(connection, set, thread)
        }
    }

    private static func waitForNext(
        _ connection: Connection, _ set: HTTP1WorkingSet, _ thread: ShardThread
    ) -> Connection.RunEnd? {
        // With nothing more to read the set goes back, and forgets the exchange there.
        if !set.input.isEmpty || !connection.isDrained { set.reset() }
        connection.life.becameIdle(thread.shard.host.connectionLimits, now: CoarseClock.now)
        // Others wait for this thread: what it has woken, or what is in the queue.
        let isSpent = set.requestsInTurn >= Self.budget || thread.hasNext
        return isSpent && (!set.input.isEmpty || !connection.isDrained) ? .yields : nil
    }

    private static func linger(
        _ connection: Connection, _ set: HTTP1WorkingSet, _ thread: ShardThread
    ) -> Connection.RunEnd? {
        while true {
            switch receive(connection, set, thread) {
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

    private static func receive(
        _ connection: Connection, _ set: HTTP1WorkingSet, _ thread: ShardThread
    ) -> Socket.Transfer {
        let result = set.input.receive(
            from: connection.transport, isDrained: &connection.isDrained)
        // After the bytes before the end of the stream comes no other event.
        if connection.mayHaveEnded, case .bytes = result { connection.isDrained = false }
        return result
    }
}
