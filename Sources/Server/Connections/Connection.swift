// A client's connection: its slot, its socket, and how it is run.
// SPDX-License-Identifier: Apache-2.0

import Configuration
import Exchange
import Handlers
import Platform
import Synchronization

/// One slot for a client's connection, which lives as long as the shard.
///
/// Its turn is: read, parse, frame, and in HTTP/1 run the handler, in one go on one thread. What it sends is
/// its output's, which has a turn of its own.
final class Connection: Schedulable, @unchecked Sendable {
    // because the base class says so: all but atomics and constants belongs to the turn

    /// What the poller reports of a client's socket.
    static let events: Poller.Events = [.readable, .writable, .peerClosed, .edge]

    /// How a run ended.
    enum RunEnd {
        /// An event, a wake-up or the clock goes on with it.
        case waiting
        /// Its place is at the end of the queue: its budget is used up.
        case yields
        /// A thread that may start handlers goes on with it.
        case needsThread
        /// The slot is free, or will be when the sender is through: the turn goes with it.
        case closed
    }

    let slot: Int
    let shard: Shard
    private(set) var output: ClientOutput!
    /// [any] Counts the slot's connections, so that an event for an earlier one is known.
    let generation = Atomic<UInt32>(0)
    /// [any] Whether it waits for another request and for nothing else.
    var isIdle: Bool { idleSince.load(ordering: .relaxed) != 0 }
    /// [any] Nanoseconds, see `Instant`; 0 = it is at work.
    let idleSince = Atomic<Int64>(0)
    /// [any] We have ended our direction: a hang-up only says that both are at their end.
    private let hasEnded = Atomic<Bool>(false)
    /// [any] What a newer host said of it: 1 = taken, 2 = not taken.
    private let offerAnswer = Atomic<UInt8>(0)

    // [turn]
    var life = HTTP1Life()
    var transport = Transport.none
    private(set) var remote = SocketAddress.unix("")
    private(set) var local = SocketAddress.unix("")
    private var set: WorkingSet?
    /// The socket had nothing more to give when last asked.
    var isDrained = false
    /// The client may have closed its side; that makes no second event after the bytes before it are read.
    var mayHaveEnded = false

    init(slot: Int, shard: Shard) {
        self.slot = slot
        self.shard = shard
        super.init()
        output = ClientOutput(connection: self, shard: shard)
    }

    var token: UInt64 {
        UInt64(generation.load(ordering: .relaxed)) << 32 | UInt64(truncatingIfNeeded: slot)
    }

    // MARK: Beginning and end

    /// Puts a client's connection into this free slot. False: something late of the slot's last connection
    /// is still in a queue, and must be run first.
    ///
    /// - Parameter isNew: no older host has served it.
    func open(_ socket: Int32, peer: SocketAddress, local: SocketAddress, isNew: Bool) -> Bool {
        // A thread with an event of the slot's last connection may have the turn, for a few instructions.
        guard claim() else { return false }
        guard output.open(Transport(socket)) else {
            giveTurnBack()
            return false
        }
        transport = Transport(socket)
        remote = peer
        self.local = local
        isDrained = false
        mayHaveEnded = false
        hasEnded.store(false, ordering: .relaxed)
        if isNew {
            life.open(shard.host.connectionLimits, now: CoarseClock.now)
        } else {
            life.adopt(shard.host.connectionLimits, now: CoarseClock.now)
        }
        markIdle()
        shard.arm(self, at: life.due)
        giveTurnBack()
        return true
    }

    /// After a run that was none: what came meanwhile is run by whoever is free.
    private func giveTurnBack() {
        guard let causes = endTurn() else { return }
        yield(causes)
        shard.enqueue(.passUnretained(self), waitsForHandler: false)
    }

    /// The caller has the turn, which ends with the slot's connection: when the sender is through.
    func close(reset: Bool, on thread: ShardThread?) -> RunEnd {
        checkTurn()
        life.closes()
        idleSince.store(0, ordering: .relaxed)
        endWork(on: thread)
        passOn()
        output.close(reset: reset)
        return .closed
    }

    /// [sender] The socket's number will be another's: events from now on are of an earlier generation.
    func socketWillClose() { generation.wrappingAdd(1, ordering: .releasing) }

    /// [sender] The slot is free.
    func didClose() {
        takeOver()
        transport = .none
        life.closed()
        deadline.store(.max, ordering: .relaxed)
        // Late causes are nobody's.
        while endTurn() != nil {}
        let shard = shard
        shard.connections.give(self)
        shard.resumeAccepting()
    }

    /// Makes room for a newcomer; false when it is not idle any more.
    func closeIfIdle() -> Bool {
        guard claimIfIdle() else { return false }
        guard life.phase == .idle, !hasUnreadBytes else {
            giveTurnBack()
            return false
        }
        _ = close(reset: false, on: nil)
        return true
    }

    /// Who has sent something that nobody has read yet is not idle; whoever has left asks for nothing more.
    private var hasUnreadBytes: Bool { transport.holdsBytes }

    // MARK: Events

    func dispatch(_ token: UInt64, _ events: Poller.Events, on thread: ShardThread) {
        guard isCurrent(token) else { return }
        wakeSender(token, events) { if output.arrive(.socket) { output.run(.socket, on: thread) } }
        guard let causes = Self.causes(of: events), arrive(causes) else { return }
        // An event of a connection that has ended since is nobody's.
        if isCurrent(token), life.phase != .free {
            run(causes, on: thread)
        } else {
            giveTurnBack()
        }
    }

    /// The same for whatever thread is free next.
    func requeue(_ token: UInt64, _ events: Poller.Events) {
        guard isCurrent(token) else { return }
        wakeSender(token, events) { shard.wake(output, .socket) }
        guard let causes = Self.causes(of: events) else { return }
        shard.wake(self, causes)
    }

    private func isCurrent(_ token: UInt64) -> Bool {
        UInt32(truncatingIfNeeded: token >> 32) == generation.load(ordering: .acquiring)
    }

    private func wakeSender(_ token: UInt64, _ events: Poller.Events, _ wake: () -> Void) {
        let isReset =
            events.rawValue & Self.failed != 0
            || events.rawValue & Self.hungUp != 0 && !hasEnded.load(ordering: .relaxed)
        if isReset { output.clientReset(generation: UInt32(truncatingIfNeeded: token >> 32)) }
        if isReset || events.rawValue & Self.writable != 0,
            output.isBlocked.load(ordering: .sequentiallyConsistent)
        {
            wake()
        }
    }

    /// Nil: the event is the sender's alone.
    private static func causes(of events: Poller.Events) -> Causes? {
        guard events.rawValue & arrival != 0 else { return nil }
        let bits = Causes.socket.rawValue
        return Causes(
            rawValue: events.rawValue & ended != 0 ? bits | Causes.peerClosed.rawValue : bits)
    }

    // Bits of `Poller.Events` as plain numbers: sets of another room's type cost thousands of instructions
    // an event, because they are not specialized here.
    private static let writable: UInt32 = 0x004
    /// EPOLLERR: the client has reset the connection.
    private static let failed: UInt32 = 0x008
    /// EPOLLHUP: both directions are at their end.
    private static let hungUp: UInt32 = 0x010
    /// These, or EPOLLRDHUP.
    private static let ended: UInt32 = 0x2018
    /// These, or EPOLLIN.
    private static let arrival: UInt32 = 0x2019

    // MARK: Running

    override func run(_ first: Causes, on thread: ShardThread) {
        checkTurn()
        var causes = first
        while true {
            switch step(causes, on: thread) {
            case .closed: return
            case .yields:
                yield(.budget)
                return shard.enqueue(.passUnretained(self), waitsForHandler: false)
            case .needsThread:
                yield(.handler)
                return shard.enqueue(.passUnretained(self), waitsForHandler: true)
            case .waiting:
                if life.phase == .idle, set == nil { markIdle() }
                shard.arm(self, at: life.due)
                guard let more = endTurn() else { return }
                causes = more
            }
        }
    }

    private func step(_ causes: Causes, on thread: ShardThread) -> RunEnd {
        if life.phase == .free { return .waiting }
        if causes.contains(.close) { return close(reset: true, on: thread) }
        if causes.contains(.socket) {
            isDrained = false
            if causes.contains(.peerClosed) { mayHaveEnded = true }
        }
        if causes.contains(.handedOver), life.phase == .offered { return offerAnswered(on: thread) }
        if causes.contains(.expired), let end = expire(on: thread) { return end }
        if life.phase == .idle, set == nil {
            // A new connection that has sent nothing is as idle as one between requests. What nobody has
            // read goes to the newer host with the socket, or is answered here.
            if causes.contains(.leaving), shard.host.handsOver || !hasUnreadBytes,
                let end = leave(on: thread)
            {
                return end
            }
            if !causes.contains(.socket) { return .waiting }
        }
        return advance(causes, on: thread)
    }

    /// One reference for the whole run: counting it anew in each phase would be the dearest thing here.
    private func advance(_ causes: Causes, on thread: ShardThread) -> RunEnd {
        if life.phase == .offered || life.phase == .closing { return .waiting }
        return (set ?? beginWork(on: thread)).run(self, on: thread, causes)
    }

    /// Every connection speaks HTTP/1.
    private func beginWork(on thread: ShardThread) -> WorkingSet {
        let set = thread.takeWorkingSet()
        set.begin(self)
        self.set = set
        idleSince.store(0, ordering: .relaxed)
        return set
    }

    func endWork(on thread: ShardThread?) {
        checkTurn()
        guard let set else { return }
        self.set = nil
        set.end(self, on: thread)
    }

    /// Nothing more is sent: the client sees the end of the stream.
    func endStream() {
        hasEnded.store(true, ordering: .relaxed)
        transport.shutdownWrite()
    }

    // MARK: Time

    /// Nil: the deadline was moved meanwhile.
    private func expire(on thread: ShardThread) -> RunEnd? {
        switch life.expiry(now: .now) {
        case .notYet: return nil
        case .close: return close(reset: false, on: thread)
        case .timeout, .revoke: return set?.expire(self, on: thread)
        }
    }

    // MARK: Leaving

    /// An idle connection of a host that leaves. Nil: it stays, at least for now, and what has come for it is
    /// not lost.
    func leave(on thread: ShardThread?) -> RunEnd? {
        guard shard.host.handsOver else { return close(reset: false, on: thread) }
        guard !life.isUnwanted, shard.host.mayOffer(self) else { return nil }
        try? shard.poller.remove(transport.descriptor)
        idleSince.store(0, ordering: .relaxed)
        endWork(on: thread)
        life.offered()
        offerAnswer.store(0, ordering: .relaxed)
        shard.host.offer(self)
        return .waiting
    }

    /// For a host that dies: the socket, if nobody is at work for it; nobody is from now on. Async-signal-safe.
    func bequeath() -> Int32? {
        // The turn is not given back: nobody is to touch what another process has.
        guard isIdle, claimIfIdle(), life.phase == .idle, set == nil else { return nil }
        idleSince.store(0, ordering: .relaxed)
        return transport.descriptor
    }

    func markIdle() {
        if !isIdle { idleSince.store(max(1, CoarseClock.now.nanoseconds), ordering: .relaxed) }
    }

    /// The newer host has taken the connection, or has not. Any thread.
    func offerWasAnswered(accepted: Bool) {
        offerAnswer.store(accepted ? 1 : 2, ordering: .releasing)
        shard.wake(self, .handedOver)
    }

    private func offerAnswered(on thread: ShardThread) -> RunEnd {
        let answer = offerAnswer.load(ordering: .acquiring)
        guard answer != 0 else { return .waiting }
        if answer == 1 { return close(reset: false, on: thread) }
        life.returned(shard.host.connectionLimits, now: .now)
        isDrained = false
        markIdle()
        do throws(SystemError) {
            try shard.poller.add(transport.descriptor, Self.events, token: token)
        } catch {
            return close(reset: false, on: thread)
        }
        return .waiting
    }
}

extension Connection: ExchangeRunner {
    /// What the exchange waited for has come.
    func resume(_ exchange: Exchange) { shard.wake(self, .resumed) }

    /// Its thread has the turn and never gives it back: the next one that is free takes it.
    func handlerWasWrittenOff(_ exchange: Exchange) {
        takeOver()
        exchange.state = .writtenOff
        life.handlerBegan()
        shard.writeOff(threadOf: output)
        yield(.resumed)
        shard.enqueue(.passUnretained(self), waitsForHandler: false)
    }
}
