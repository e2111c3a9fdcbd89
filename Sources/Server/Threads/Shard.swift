// A small server: a poller, a run queue, timers, spare buffers, and the threads that serve them.
// SPDX-License-Identifier: Apache-2.0

import Configuration
import Handlers
import Platform
import Synchronization

/// One part of a host's connections with the threads that serve them. A connection stays on its shard; a
/// listener is in the pollers of all.
final class Shard: Sendable {
    let host: Host
    let poller: Poller
    let queue = RunQueue()
    let spares: WorkingSetCache
    let connections: ConnectionTable
    /// Writers that wait for clients who read slowly.
    let waitingWriters: WaitingThreads
    /// Threads in calls of handlers whose bodies are still arriving.
    let arrivingCalls: WaitingThreads
    private let threads = Mutex<[ShardThread]>([])
    let threadCount: Threads
    /// Wakes a thread that sleeps for something in the queue.
    private let wakeUp: EventCounter
    /// The clock's own event: see `GrowthRule`.
    private let probe: EventCounter
    private let probeSent = Atomic<Int64>(0)
    /// Threads in the poller, and of the ones that may start handlers.
    private let sleepers = Atomic<Int>(0)
    private let handlerSleepers = Atomic<Int>(0)
    private let isListening = Atomic<Bool>(true)
    /// Wake-ups that were sent and have not arrived.
    private let wakeUps = Atomic<Int>(0)
    /// Deadlines on their way to the clock's wheel.
    let timers = PostedTimers()
    /// Accepting has stopped for want of slots or descriptors.
    private let isAcceptPaused = Atomic<Bool>(false)

    struct Threads: Sendable {
        /// That stay.
        var min: Int
        /// That may run handlers.
        var max: Int
    }

    /// Newcomers taken in one go.
    private static let acceptBudget = 64
    /// Newcomers that a host that leaves takes along at most: a full queue (see `Socket.listen`).
    private static let lastBudget = 4096

    private enum Token {
        /// The highest bits tell what a token names.
        static let listener: UInt64 = 1 << 31
        static let special: UInt64 = 1 << 30
        static let wakeUp = special
        static let probe = special | 1
    }

    init(host: Host, capacity: Int, threads: Threads) throws(SystemError) {
        self.host = host
        threadCount = threads
        waitingWriters = WaitingThreads(most: max(1, threads.max / 2))
        arrivingCalls = WaitingThreads(most: threads.max / 2)
        poller = try Poller()
        wakeUp = try EventCounter()
        probe = try EventCounter()
        connections = ConnectionTable(capacity: capacity)
        spares = WorkingSetCache { host.makeWorkingSet() }
        try poller.add(wakeUp.descriptor.number, [.readable, .edge], token: Token.wakeUp)
        try poller.add(probe.descriptor.number, [.readable, .edge], token: Token.probe)
    }

    // MARK: Events

    func listen() throws(SystemError) {
        for index in host.listeners.indices {
            try poller.add(
                host.listeners[index].socket, [.readable, .edge, .exclusive],
                token: Token.listener | UInt64(index))
        }
    }

    /// Takes no more connections. Those that were announced to this shard alone are not left in the queue.
    func stopListening() {
        isListening.store(false, ordering: .sequentiallyConsistent)
        for index in host.listeners.indices {
            accept(index, on: nil)
            try? poller.remove(host.listeners[index].socket)
            accept(index, on: nil)
        }
    }

    func dispatch(_ token: UInt64, _ events: Poller.Events, on thread: ShardThread) {
        if token & Token.listener != 0 { return accept(Int(token & ~Token.listener), on: thread) }
        if token & Token.special != 0 { return takeSpecial(token) }
        connections.dispatch(token, events, on: thread)
    }

    private func takeSpecial(_ token: UInt64) {
        if token == Token.probe {
            _ = probe.take()
            probeSent.store(0, ordering: .relaxed)
        } else {
            wakeUps.subtract(
                Int(truncatingIfNeeded: wakeUp.take()), ordering: .sequentiallyConsistent)
        }
    }

    // MARK: Waking

    /// Something that has no socket event is to run: on the calling thread when that is one of this shard's
    /// and has nothing else to run next, else on the first that is free.
    func wake(_ item: Schedulable, _ causes: Schedulable.Causes) {
        guard item.wake(causes) else { return }
        let isTaken = ShardThread.current?._withUnsafeGuaranteedRef { thread in
            thread.shard === self && thread.mayKeepNext && thread.runNext(item)
        }
        if isTaken == true { return }
        enqueue(.passUnretained(item), waitsForHandler: false)
    }

    /// Puts something into the queue that is `queued` already.
    func enqueue(_ item: Unmanaged<Schedulable>, waitsForHandler: Bool) {
        item._withUnsafeGuaranteedRef { queue.append($0, waitsForHandler: waitsForHandler) }
        // Whoever is about to sleep has either counted itself by now or sees the queue.
        let count =
            waitsForHandler
            ? handlerSleepers.load(ordering: .sequentiallyConsistent)
            : sleepers.load(ordering: .sequentiallyConsistent)
        if count > wakeUps.load(ordering: .sequentiallyConsistent) { signal() }
    }

    func signal() {
        wakeUps.add(1, ordering: .sequentiallyConsistent)
        wakeUp.signal()
    }

    var hasQueued: Bool { !queue.isEmpty }
    var hasSleepers: Bool { sleepers.load(ordering: .relaxed) > 0 }

    /// Something waits for a thread that may start a handler, and such a thread sleeps or is about to. The
    /// poller does not say which of those who wait gets a wake-up: who may not start handlers keeps out of the way.
    var wakesHandlers: Bool {
        handlerSleepers.load(ordering: .sequentiallyConsistent) > 0 && queue.hasHandlers
    }

    /// How many others sleep; nil: there is something to run first.
    func beginSleep(startsHandlers: Bool) -> Int? {
        let others = sleepers.add(1, ordering: .sequentiallyConsistent).oldValue
        if startsHandlers { handlerSleepers.add(1, ordering: .sequentiallyConsistent) }
        guard startsHandlers, !queue.isEmpty else { return others }
        endSleep(startsHandlers: startsHandlers)
        return nil
    }

    func endSleep(startsHandlers: Bool) {
        sleepers.subtract(1, ordering: .sequentiallyConsistent)
        if startsHandlers { handlerSleepers.subtract(1, ordering: .sequentiallyConsistent) }
    }

    // MARK: Timers

    /// Sets when the clock is to run it; called when its turn ends.
    func arm(_ item: Schedulable, at deadline: Instant) { timers.arm(item, at: deadline) }

    // MARK: Threads

    func start() throws(SystemError) {
        for _ in 0..<threadCount.min { try addThread(.permanent) }
    }

    var count: Int { threads.withLock { $0.count } }

    /// [clock] How long the oldest ready work has waited, in seconds; 0 while a thread sleeps.
    func waited(at now: Instant) -> Double {
        let since = probeSent.load(ordering: .relaxed)
        let probed = since == 0 ? 0 : now.seconds(since: Instant(nanoseconds: since))
        let queued = queue.oldest.map { now.seconds(since: $0) } ?? 0
        if handlerSleepers.load(ordering: .relaxed) > 0 {
            // A wake-up that got lost between two threads: sent again.
            if queued > GrowthRule.patience { signal() }
            return 0
        }
        if since == 0 {
            probeSent.store(now.nanoseconds, ordering: .relaxed)
            probe.signal()
        }
        return max(probed, queued)
    }

    /// [clock] What has waited too long for a thread that may start its handler is any thread's to refuse.
    func refuseOverdue(at now: Instant) {
        let limit = now.adding(seconds: -host.queueTimeout)
        while let item = queue.popHandler(queuedBefore: limit) {
            _ = item._withUnsafeGuaranteedRef { $0.wake(.overdue) }
            enqueue(item, waitsForHandler: false)
        }
    }

    /// What the clock saw of the threads.
    struct Look {
        /// That may run handlers.
        var running = 0
        var hasReserve = false
        /// Counts what all of them have begun.
        var progress: UInt64 = 0
        /// Processors used by those that have begun something since the last look.
        var used = 0.0
    }

    /// [clock] Gives what a thread has taken and not begun to the others, if it has been in somebody
    /// else's code since the last look.
    ///
    /// - Parameter seconds: since that look.
    func look(after seconds: Double) -> Look {
        let all = threads.withLock { threads -> [ShardThread] in
            threads.removeAll { $0.hasLeft.load(ordering: .acquiring) }
            return threads
        }
        var look = Look()
        for thread in all where !thread.isWrittenOff.load(ordering: .relaxed) {
            if thread.startsHandlers { look.running += 1 } else { look.hasReserve = true }
            let hasMoved = thread.hasMoved()
            look.progress &+= thread.lastProgress
            if hasMoved {
                let used = thread.processorsUsed(in: seconds)
                if thread.startsHandlers { look.used += used }
            } else {
                reclaim(thread.batch)
                flushOutput(of: thread)
            }
        }
        return look
    }

    /// What a handler has written before it began to think is sent by another thread.
    private func flushOutput(of thread: ShardThread) {
        thread.handling.load(ordering: .acquiring)?._withUnsafeGuaranteedRef {
            if $0.hasUnsent { wake($0, .flush) }
        }
    }

    /// What is left of a batch goes to the threads that are free.
    func reclaim(_ batch: EventBatch) {
        while let event = batch.next() { reclaim(event) }
    }

    /// By the queue when it is a connection's event.
    private func reclaim(_ event: Poller.Event) {
        // Not on this thread.
        if event.token & Token.listener != 0 {
            return watchAnew(Int(event.token & ~Token.listener))
        }
        if event.token & Token.special != 0 { return takeSpecial(event.token) }
        connections.requeue(event.token, event.events, on: self)
    }

    /// [clock] Adds so many threads; when there may be no more, one that only reads for the others.
    func grow(by count: Int, running: Int, hasReserve: Bool) {
        do throws(SystemError) {
            for _ in 0..<count { try addThread(.temporary) }
            if count == 0, running >= threadCount.max, !hasReserve { try addThread(.reserve) }
        } catch {
            host.complaints.log(
                "threads", .error,
                "cannot start another thread: \(error); requests wait for the threads there are")
        }
    }

    /// [any] Threads that never come back; others take their places.
    let writtenOff = Atomic<Int>(0)

    /// A handler's thread is lost, and with it what it holds for as long as the handler runs.
    func writeOff(threadOf output: ClientOutput) {
        let lost = threads.withLock { threads in
            threads.first { thread in
                thread.handling.load(ordering: .acquiring)?.toOpaque()
                    == Unmanaged.passUnretained(output).toOpaque()
            }
        }
        guard let lost else { preconditionFailure("a handler runs on no thread of its shard") }
        lost.handling.store(nil, ordering: .relaxed)
        lost.isWrittenOff.store(true, ordering: .relaxed)
        writtenOff.add(1, ordering: .relaxed)
        if lost.isInArrivingCall.load(ordering: .acquiring) { arrivingCalls.leave() }
        reclaim(lost.batch)
        do throws(SystemError) {
            // At least so many are always there.
            if lost.kind == .permanent { try addThread(.permanent) }
        } catch {
            host.complaints.log(
                "threads", .error, "cannot start a thread in the place of a lost one: \(error)")
        }
    }

    func room(for running: Int) -> Int { max(0, threadCount.max - running) }

    private func addThread(_ kind: ShardThread.Kind) throws(SystemError) {
        let thread = ShardThread(shard: self, kind: kind)
        let number = threads.withLock { threads in
            threads.append(thread)
            return threads.count
        }
        do throws(SystemError) {
            let name = kind == .reserve ? "mortise reserve" : "mortise \(number)"
            try Thread.start(named: name, stackSize: 1 << 20) { thread.run() }
        } catch {
            thread.hasLeft.store(true, ordering: .releasing)
            throw error
        }
    }

    // MARK: Accepting

    private func accept(_ index: Int, on thread: ShardThread?) {
        let listener = host.listeners[index]
        var mayPassOn = thread?.startsHandlers == false
        var budget = thread == nil ? Self.lastBudget : Self.acceptBudget
        while !host.isLeaving {
            // The rest is announced anew, behind what is ready now.
            if budget == 0 { return watchAnew(index) }
            budget -= 1
            thread?.countProgress()
            if mayPassOn, passOn(index) { return }
            mayPassOn = thread != nil
            guard let connection = connections.take(for: self) ?? makeRoom(for: listener) else {
                return
            }
            do throws(SystemError) {
                guard let (socket, peer) = try Socket.accept(listener.socket) else {
                    return connections.give(connection)
                }
                open(connection, socket, peer: peer, local: listener.address, isNew: true)
            } catch {
                connections.give(connection)
                // EINVAL: a host that leaves has shut the listener down.
                guard isListening.load(ordering: .sequentiallyConsistent), !error.isInvalid else {
                    return
                }
                // EMFILE, ENFILE, ENOBUFS, ENOMEM: the client stays in the queue (man 2 accept).
                return pauseAccepting(
                    "\(error); raise the limit on open files or lower limits.connections",
                    isFull: false)
            }
        }
    }

    /// Leaves the newcomers to a shard with a thread that sleeps, when this one has none.
    private func passOn(_ index: Int) -> Bool {
        guard host.shards.count > 1, handlerSleepers.load(ordering: .relaxed) == 0,
            let other = host.shards.first(where: {
                $0.handlerSleepers.load(ordering: .relaxed) > 0
            })
        else { return false }
        other.watchAnew(index)
        return true
    }

    /// Takes in a connection of an older host.
    func adopt(_ socket: Int32, into slot: Connection) {
        open(
            slot, socket, peer: Socket.peerAddress(socket), local: Socket.localAddress(socket),
            isNew: false)
    }

    private func open(
        _ first: Connection, _ socket: Int32, peer: SocketAddress, local: SocketAddress, isNew: Bool
    ) {
        if case .unix = local {} else { Socket.setNoDelay(socket) }
        var connection = first
        while !connection.open(socket, peer: peer, local: local, isNew: isNew) {
            let next = connections.take(for: self)
            connections.giveLast(connection)
            guard let next else {
                host.complaints.log(
                    "watch", .error, "no slot is ready for a connection; it is closed")
                return closeDescriptor(socket)
            }
            connection = next
        }
        do throws(SystemError) {
            try poller.add(socket, Connection.events, token: connection.token)
        } catch {
            host.complaints.log(
                "watch", .error, "cannot watch a connection: \(error); it is closed")
            wake(connection, .close)
        }
    }

    /// All slots are taken: when somebody waits, the connection that has been idle the longest goes. Nil
    /// when nobody waits, or nobody is idle: then the newcomers stay where they are.
    private func makeRoom(for listener: Host.Listener) -> Connection? {
        let ready = Socket.wait(listener.socket, for: .readable, milliseconds: 0)
        guard ready.contains(.readable), !ready.contains(.hangUp) else { return nil }
        if let connection = closeLongestIdle() { return connection }
        pauseAccepting(
            "as many connections are at work as limits.connections allows", isFull: true)
        return nil
    }

    private func closeLongestIdle() -> Connection? {
        var last: ConnectionTable.Idle?
        while let longest = connections.longestIdle(after: last) {
            if longest.connection.closeIfIdle(), let connection = connections.take(for: self) {
                return connection
            }
            last = longest
        }
        return nil
    }

    /// Newcomers stay in the listener's queue until a slot is free, or the clock tries again.
    private func pauseAccepting(_ reason: String, isFull: Bool) {
        isAcceptPaused.store(true, ordering: .sequentiallyConsistent)
        host.complaints.log("accept", .warning, "no new connections for now: \(reason)")
        // A slot may have become free between the look and the mark.
        if isFull, connections.hasRoom { resumeAccepting() }
    }

    /// A slot is free or could be, or some time has passed.
    func resumeAccepting() {
        guard isAcceptPaused.load(ordering: .relaxed),
            isAcceptPaused.exchange(false, ordering: .sequentiallyConsistent)
        else { return }
        // Not here: whoever has closed a connection has other things to do. The poller tells it anew to a
        // socket that is added (man 2 epoll_ctl: what is exclusive cannot be modified).
        for index in host.listeners.indices { watchAnew(index) }
    }

    /// Newcomers whose announcement has gone to a host that left before it had room for them.
    func watchForgotten() {
        for index in host.listeners.indices {
            let ready = Socket.wait(
                host.listeners[index].socket, for: .readable, milliseconds: 0)
            if ready.contains(.readable) { watchAnew(index) }
        }
    }

    private func watchAnew(_ index: Int) {
        let listener = host.listeners[index].socket
        guard isListening.load(ordering: .sequentiallyConsistent) else { return }
        try? poller.remove(listener)
        do throws(SystemError) {
            try poller.add(
                listener, [.readable, .edge, .exclusive], token: Token.listener | UInt64(index))
        } catch {
            // It exists already: another thread has been as quick.
            guard !error.alreadyExists else { return }
            pauseAccepting(
                "a listener cannot be watched: \(error); raise fs.epoll.max_user_watches or the memory",
                isFull: false)
        }
        // It may have stopped meanwhile; an announcement to this shard would be nobody's.
        if !isListening.load(ordering: .sequentiallyConsistent) { try? poller.remove(listener) }
    }
}
