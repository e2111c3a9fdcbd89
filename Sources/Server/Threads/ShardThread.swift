// One thread of a shard: waits for an event, and carries it from readiness to answer.
// SPDX-License-Identifier: Apache-2.0

import Platform
import Synchronization

/// A thread's own things. Only the thread uses them, but for the atomics and the batch.
final class ShardThread: @unchecked Sendable {
    // because all but atomics, constants and the batch, which is made for it, belongs to one thread

    enum Kind {
        /// Stays as long as the shard.
        case permanent
        /// Leaves when it has had nothing to do.
        case temporary
        /// Reads, frames and sends what the others wait for while all of them are blocked; starts nothing
        /// that may block.
        case reserve
    }

    let shard: Shard
    let kind: Kind
    /// [any] Counts what it has begun: one whose count stands still is in somebody else's code.
    let progress = Atomic<UInt64>(0)
    /// [any] Events taken from the poller together.
    let batch = EventBatch()
    /// [any] What sends the answer of the handler that it runs. Lives as long as the shard.
    let handling = Atomic<Unmanaged<Schedulable>?>(nil)
    /// [clock] The count at its last look.
    var lastProgress: UInt64 = 0
    /// [clock] Seconds it had used of the processors when somebody last asked.
    private var lastUse = 0.0
    /// [any] Its processor clock; 0 before it runs.
    private let processorClock = Atomic<Int32>(0)
    /// [any] True once it has left.
    let hasLeft = Atomic<Bool>(false)
    /// [any] It is in a call that it never comes back from.
    let isWrittenOff = Atomic<Bool>(false)
    /// [any] It counts among `Shard.arrivingCalls`.
    let isInArrivingCall = Atomic<Bool>(false)
    /// It runs nothing that may keep it for long: not an extension's code.
    var mayKeepNext = true
    /// What this thread has woken and runs next, unless it may be blocked before.
    private var next: Unmanaged<Schedulable>?
    private var batchRule = BatchRule()
    private var spare: HTTP1WorkingSet?

    /// Milliseconds without work after which a temporary thread leaves.
    private static let idleMilliseconds: Int32 = 10_000
    /// What it runs from the queue before it looks for events again.
    private static let queueBudget = 8

    init(shard: Shard, kind: Kind) {
        self.shard = shard
        self.kind = kind
    }

    /// The thread of a shard that calls; nil on other threads.
    static var current: Unmanaged<ShardThread>? {
        Thread.object.map { Unmanaged.fromOpaque($0) }
    }

    var startsHandlers: Bool { kind != .reserve }

    func run() {
        Thread.object = Unmanaged.passUnretained(self).toOpaque()
        processorClock.store(Thread.processorClock, ordering: .relaxed)
        while true {
            if let item = takeNext() {
                start(item)
            } else if let event = batch.next() {
                countProgress()
                shard.dispatch(event.token, event.events, on: self)
            } else if !runQueued() && !waitForEvents(milliseconds: patience) {
                if kind != .permanent { break }
            }
        }
        if let spare { shard.spares.give(spare) }
        spare = nil
        hasLeft.store(true, ordering: .releasing)
    }

    private var patience: Int32 { kind == .permanent ? -1 : Self.idleMilliseconds }

    /// Runs some of the queue, then takes what events there are without waiting. False: nothing is queued.
    private func runQueued() -> Bool {
        guard shard.hasQueued,
            let first = shard.queue.popFirst(startsHandlers: startsHandlers)
        else { return false }
        start(first)
        var budget = Self.queueBudget
        while budget > 0, next == nil,
            let item = shard.queue.popFirst(startsHandlers: startsHandlers)
        {
            start(item)
            budget -= 1
        }
        _ = fillBatch(othersSleep: shard.hasSleepers, milliseconds: 0)
        return true
    }

    private func start(_ item: Unmanaged<Schedulable>) {
        countProgress()
        item._withUnsafeGuaranteedRef { $0.run($0.beginTurn(), on: self) }
    }

    func countProgress() {
        progress.store(progress.load(ordering: .relaxed) &+ 1, ordering: .relaxed)
    }

    /// False after the time-out.
    private func waitForEvents(milliseconds: Int32) -> Bool {
        batchRule.finished(now: .now)
        if kind == .reserve, shard.wakesHandlers {
            shard.signal()
            Thread.sleep(milliseconds: 1)
            return true
        }
        guard let others = shard.beginSleep(startsHandlers: startsHandlers) else { return true }
        let hasEvents = fillBatch(othersSleep: others > 0, milliseconds: milliseconds)
        shard.endSleep(startsHandlers: startsHandlers)
        return hasEvents
    }

    private func fillBatch(othersSleep: Bool, milliseconds: Int32) -> Bool {
        let most = batchRule.most(othersSleep: othersSleep)
        guard batch.fill(from: shard.poller, most: most, milliseconds: milliseconds) else {
            return false
        }
        batchRule.took(batch.count, now: .now)
        return true
    }

    // MARK: What the clock sees

    /// [clock] Whether it has begun something since the last look.
    func hasMoved() -> Bool {
        let count = progress.load(ordering: .relaxed)
        defer { lastProgress = count }
        return count != lastProgress
    }

    /// [clock] How many processors it has used since the last look at which it had moved, as if that had been
    /// the last one of all: 0 to 1.
    func processorsUsed(in seconds: Double) -> Double {
        let clock = processorClock.load(ordering: .relaxed)
        guard clock != 0, seconds > 0, let all = Thread.processorSeconds(clock) else { return 0 }
        defer { lastUse = all }
        return min(1, (all - lastUse) / seconds)
    }

    // MARK: What it has taken

    /// Before the thread may be blocked: what it has taken can be taken by others.
    func mayBlock() {
        batchRule.mayBlock()
        shard.reclaim(batch)
        giveNext()
    }

    /// Before somebody else's code runs, which may never come back: what waits for this thread alone, and has
    /// been given its worker, say, is the others'.
    func giveNext() {
        guard let item = next else { return }
        next = nil
        shard.enqueue(item, waitsForHandler: false)
    }

    /// Runs it after what it does now, if it has nothing else to run then. The item is `queued`.
    func runNext(_ item: Schedulable) -> Bool {
        guard next == nil, startsHandlers else { return false }
        next = .passUnretained(item)
        return true
    }

    var hasNext: Bool { next != nil }

    private func takeNext() -> Unmanaged<Schedulable>? {
        guard let item = next else { return nil }
        next = nil
        return item
    }

    func takeWorkingSet() -> HTTP1WorkingSet {
        guard let set = spare else { return shard.spares.take() }
        spare = nil
        return set
    }

    func give(_ set: HTTP1WorkingSet) {
        if spare == nil { spare = set } else { shard.spares.give(set) }
    }
}
