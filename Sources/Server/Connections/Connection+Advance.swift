// The life of a connection, from bytes to answer to bytes.
// SPDX-License-Identifier: Apache-2.0

import Configuration
import Synchronization
import Exchange
import Handlers
import Platform

extension Connection {
    /// Goes on from phase to phase until something has to be waited for.
    func advance(on thread: PoolThread) -> Rest {
        // One reference for the whole turn: counting it anew in each phase would be the dearest thing here.
        let activity = activity ?? beginActivity(on: thread)
        let exchange = activity.exchange
        while true {
            let rest: Rest?
            switch phase {
            case .free: return .closed
            case .idle, .head: rest = readHead(activity, exchange, on: thread)
            case .body: rest = readBody(activity, on: thread)
            case .handling: rest = handle(exchange, on: thread)
            case .sending: rest = send(activity, exchange, on: thread)
            case .lingering: rest = linger(activity, on: thread)
            }
            if let rest { return rest }
        }
    }

    // MARK: The head

    private func readHead(
        _ activity: Activity, _ exchange: Exchange, on thread: PoolThread
    ) -> Rest? {
        while true {
            if !activity.input.isEmpty {
                switch parseHead(activity, exchange) {
                case .complete: return route(activity, exchange, on: thread)
                case .refused: return nil
                case .incomplete: break
                }
            }
            if isDrained { return waitForHead(activity, on: thread) }
            switch receive(activity) {
            case .bytes: continue
            case .wouldBlock: return waitForHead(activity, on: thread)
            case .end, .failed: return close(on: thread)
            }
        }
    }

    private enum HeadState { case complete, incomplete, refused }

    private func parseHead(_ activity: Activity, _ exchange: Exchange) -> HeadState {
        do throws(RequestError) {
            let length = try activity.input.withSpan { (bytes) throws(RequestError) in
                try activity.parser.parse(bytes, into: exchange.request)
            }
            guard let length else { return .incomplete }
            activity.input.consume(length)
            return .complete
        } catch {
            refuse(activity, error.status)
            return .refused
        }
    }

    /// A request that cannot be trusted: its answer is the last one, no byte after it is parsed.
    private func refuse(_ activity: Activity, _ status: Int) {
        let exchange = activity.exchange
        if phase == .body {
            exchange.request.refuseKeepAlive()
        } else {
            activity.input.withBytes { exchange.refused.append(contentsOf: $0.prefix(1024)) }
            exchange.request.refuse()
        }
        activity.input.removeAll()
        wasRefused = true
        exchange.refuse(status: status)
        phase = .sending
    }

    private func waitForHead(_ activity: Activity, on thread: PoolThread) -> Rest {
        if activity.input.isEmpty {
            // After a response no deadline is set; a new connection has the head's already.
            if deadline.load(ordering: .relaxed) == .max {
                setDeadline(server.timeouts.keepAlive, from: CoarseClock.now)
            }
            endActivity(on: thread)
            isIdle.store(phase == .idle, ordering: .relaxed)
        } else if phase == .idle {
            phase = .head
            setDeadline(server.timeouts.head, from: .now)
        }
        return .waiting
    }

    // MARK: The body

    /// The head is complete: finds the handler, and receives the body if that handler takes one.
    private func route(
        _ activity: Activity, _ exchange: Exchange, on thread: PoolThread
    ) -> Rest? {
        exchange.started = CoarseClock.now
        requests += 1
        if server.isLeaving && (staysHere || !server.canHandOver) {
            exchange.request.refuseKeepAlive()
        }
        let mapping = server.router.route(exchange)
        self.mapping = mapping
        let request = exchange.request
        guard request.hasBody else {
            phase = .handling
            return nil
        }
        guard mapping?.takesBody(of: exchange) == true else {
            dropBody(activity)
            phase = .handling
            return nil
        }
        if let length = request.contentLength, length > server.bodyLimit {
            dropBody(activity)
            exchange.refuse(status: 413)
            phase = .sending
            return nil
        }
        activity.bodyLeft = request.contentLength ?? 0
        activity.chunks = ChunkedDecoder()
        if activity.bodyLeft > Int64(InputBuffer.initialSize) || request.isChunked {
            activity.input.growForBody()
        }
        if request.expectsContinue && activity.input.isEmpty {
            let interim: StaticString = "HTTP/1.1 100 Continue\r\n\r\n"
            interim.withUTF8Buffer { _ = Socket.send(socket, UnsafeRawBufferPointer($0)) }
        }
        phase = .body
        setDeadline(server.timeouts.body, from: exchange.started)
        return nil
    }

    /// Nobody reads this body. A small one that is here already is skipped, else the connection ends.
    private func dropBody(_ activity: Activity) {
        let request = activity.exchange.request
        if let length = request.contentLength, length <= Int64(activity.input.count) {
            activity.input.consume(Int(length))
        } else {
            activity.input.removeAll()
            request.refuseKeepAlive()
        }
    }

    private func readBody(_ activity: Activity, on thread: PoolThread) -> Rest? {
        while true {
            switch takeBody(activity) {
            case .complete:
                phase = .handling
                return nil
            case .refused(let status):
                refuse(activity, status)
                return nil
            case .incomplete:
                break
            }
            if isDrained { return .waiting }
            switch receive(activity) {
            case .bytes: setDeadline(server.timeouts.body, from: .now)
            case .wouldBlock: return .waiting
            case .end, .failed: return close(on: thread)
            }
        }
    }

    private enum BodyState { case complete, incomplete, refused(Int) }

    /// Moves body bytes from the input to the exchange.
    private func takeBody(_ activity: Activity) -> BodyState {
        let exchange = activity.exchange
        guard exchange.request.isChunked else {
            let count = Int(min(activity.bodyLeft, Int64(activity.input.count)))
            if count > 0 {
                let stored = activity.input.withBytes {
                    store(UnsafeRawBufferPointer(rebasing: $0[..<count]), exchange)
                }
                guard stored else { return .refused(507) }
                activity.input.consume(count)
                activity.bodyLeft -= Int64(count)
            }
            return activity.bodyLeft == 0 ? .complete : .incomplete
        }
        var cursor = 0
        let state = activity.input.withBytes { bytes in takeChunks(activity, bytes, &cursor) }
        activity.input.consume(cursor)
        return state
    }

    private func takeChunks(
        _ activity: Activity, _ bytes: UnsafeRawBufferPointer, _ cursor: inout Int
    ) -> BodyState {
        let span = bytes.bindMemory(to: UInt8.self).span
        let exchange = activity.exchange
        while true {
            do throws(ChunkedDecoder.Malformed) {
                switch try activity.chunks.next(span, &cursor) {
                case .needsMore: return .incomplete
                case .end: return .complete
                case .data(let range):
                    if exchange.body.length + Int64(range.count) > server.bodyLimit {
                        return .refused(413)
                    }
                    let part = UnsafeRawBufferPointer(rebasing: bytes[range])
                    guard store(part, exchange) else { return .refused(507) }
                }
            } catch {
                return .refused(400)
            }
        }
    }

    private func store(_ bytes: UnsafeRawBufferPointer, _ exchange: Exchange) -> Bool {
        do throws(SystemError) {
            try exchange.body.append(
                bytes, memoryLimit: server.bodyInMemory, folder: server.temporaryFolder)
            return true
        } catch {
            exchange.log(
                .error,
                "cannot keep a request body in \(server.temporaryFolder): \(error); answered 507")
            return false
        }
    }

    // MARK: The answer

    private func handle(_ exchange: Exchange, on thread: PoolThread) -> Rest? {
        if hasResumed {
            if let rest = resumed(on: thread) { return rest }
            guard phase == .handling else { return nil }
        }
        deadline.store(.max, ordering: .relaxed)
        prepareHold()
        guard let mapping, server.router.handle(exchange, by: mapping, on: thread) == .pending
        else {
            phase = .sending
            return nil
        }
        if let call = exchange.pendingCall {
            let end = exchange.started.adding(seconds: server.timeouts.request)
            ticket.withLock { $0 = PendingTicket(call: call, deadline: end) }
        }
        if beginHold() { return .held }
        return resumed(on: thread)
    }

    /// The wait is over and this thread has the turn: a worker is there, or the response is complete.
    func resumed(on thread: PoolThread) -> Rest? {
        ticket.withLock { $0 = nil }
        prepareHold()
        guard let exchange = activity?.exchange else { return close(on: thread) }
        guard exchange.assignedWorker == nil else { return nil }
        exchange.finish()
        phase = .sending
        return nil
    }

    private func send(
        _ activity: Activity, _ exchange: Exchange, on thread: PoolThread
    ) -> Rest? {
        switch exchange.flush() {
        case .blocked:
            setDeadline(server.timeouts.send, from: .now)
            return .waiting
        case .broken:
            server.logAccess(exchange)
            return close(on: thread)
        case .everything:
            break
        }
        server.logAccess(exchange)
        if exchange.isCut {
            Socket.setResetOnClose(socket)
            return close(on: thread)
        }
        guard exchange.keepsConnectionAfter, exchange.request.keepsAlive else {
            return beginLingering(activity, on: thread)
        }
        exchange.reset()
        phase = .idle
        if server.isLeaving && !staysHere && activity.input.isEmpty && server.mayOffer {
            return handOver(on: thread)
        }
        return nil
    }

    // MARK: The end

    /// Closing with unread bytes would reset the connection and might destroy the answer on its way
    /// (RFC 9112 §9.6): the client is told that no more comes, and what it sends is read for a while.
    private func beginLingering(_ activity: Activity, on thread: PoolThread) -> Rest? {
        let mayFollow = wasRefused || activity.exchange.request.hasBody
        if isDrained && !mayFollow && activity.input.isEmpty {
            return close(on: thread)
        }
        Socket.shutdownWrite(socket)
        activity.input.removeAll()
        lingered = 0
        phase = .lingering
        setDeadline(1, from: .now)
        return nil
    }

    private func linger(_ activity: Activity, on thread: PoolThread) -> Rest? {
        while true {
            switch receive(activity) {
            case .bytes(let count):
                lingered += count
                activity.input.removeAll()
                if lingered > 1 << 20 { return close(on: thread) }
            case .wouldBlock: return .waiting
            case .end, .failed: return close(on: thread)
            }
        }
    }

    func close(on thread: PoolThread?) -> Rest {
        endActivity(on: thread)
        server.close(self)
        return .closed
    }

    // MARK: Small things

    private func receive(_ activity: Activity) -> Socket.Transfer {
        let result = activity.input.receive(from: socket, isDrained: &isDrained)
        if mayHaveEnded, case .bytes = result { isDrained = false }
        return result
    }

    func setDeadline(_ seconds: Double, from start: Instant) {
        deadline.store(start.adding(seconds: seconds).nanoseconds, ordering: .relaxed)
    }

    private func beginActivity(on thread: PoolThread) -> Activity {
        let activity = thread.takeActivity()
        activity.exchange.begin(owner: self, socket: socket, remote: remote, local: local)
        self.activity = activity
        isIdle.store(false, ordering: .relaxed)
        return activity
    }

    func endActivity(on thread: PoolThread?) {
        guard let activity else { return }
        self.activity = nil
        activity.reset()
        if let thread { thread.give(activity) } else { server.activities.give(activity) }
    }
}
