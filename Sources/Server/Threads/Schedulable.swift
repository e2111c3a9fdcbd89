// Something that the threads of a shard run, one of them at a time.
// SPDX-License-Identifier: Apache-2.0

import Platform
import Synchronization

/// Has one turn, which one thread holds at a time, and remembers why it is to run again.
///
///              arrive                   queue's next
///     idle ──────────────► running ◄────────────────── queued
///      │                    │   ▲                        ▲
///      │      arrive, wake  ▼   │ endTurn: runs again    │
///      │                    woken                        │
///      └───────────────────── wake ──────────────────────┘
///
/// Waking means that it runs at least once after the call. Causes gather as flags until a run takes them,
/// so that it is in a queue at most once however many things happen to it.
class Schedulable: @unchecked Sendable {
    // because all but atomics and constants belongs to the thread that has the turn

    /// Why it is to run.
    struct Causes: OptionSet, Sendable {
        let rawValue: UInt32
        /// An event of the client's socket.
        static let socket = Causes(rawValue: 1 << 8)
        /// The client has closed its side.
        static let peerClosed = Causes(rawValue: 1 << 9)
        /// A parked or pending exchange can go on.
        static let resumed = Causes(rawValue: 1 << 10)
        /// The output has been sent, or never will be.
        static let sent = Causes(rawValue: 1 << 11)
        /// A deadline has passed.
        static let expired = Causes(rawValue: 1 << 12)
        /// Its turn's budget was used up.
        static let budget = Causes(rawValue: 1 << 13)
        /// Its exchange waits for a thread that may start a handler.
        static let handler = Causes(rawValue: 1 << 14)
        /// It has waited for such a thread for too long.
        static let overdue = Causes(rawValue: 1 << 19)
        /// The host leaves.
        static let leaving = Causes(rawValue: 1 << 15)
        /// Its connection is to be closed.
        static let close = Causes(rawValue: 1 << 16)
        /// What lies in its buffer is to be sent.
        static let flush = Causes(rawValue: 1 << 17)
        /// The newer host has its connection, or does not take it.
        static let handedOver = Causes(rawValue: 1 << 18)
    }

    private enum Turn {
        static let idle: UInt32 = 0
        static let queued: UInt32 = 1
        static let running: UInt32 = 2
        static let woken: UInt32 = 3
        static let mask: UInt32 = 0xff
    }

    /// [any] The turn, and the causes that nobody has taken.
    private let word = Atomic<UInt32>(Turn.idle)
    /// Debug builds know who has the turn.
    private let holder = Holder()
    /// [any] Nanoseconds on the monotonic clock; Int64.max = none. Set by `arm` when a turn ends.
    let deadline = Atomic<Int64>(.max)
    /// [any] When the wheel looks at the deadline; Int64.max = it is in no wheel.
    let filed = Atomic<Int64>(.max)
    /// [clock] The next in the same bucket of the wheel.
    var nextInBucket: Unmanaged<Schedulable>?
    /// [any] The wheel has been asked to file it anew.
    let isPosted = Atomic<Bool>(false)
    /// The next that was posted: of the thread that has set `isPosted`, then of the clock, until it clears it.
    var nextPosted: Unmanaged<Schedulable>?
    /// [shard] The run queue's link and the time it was put there; under the queue's lock.
    var nextInQueue: Unmanaged<Schedulable>?
    var queuedAt = Instant(nanoseconds: 0)

    /// [any] Whether a handler has left something in it that nobody sends.
    var hasUnsent: Bool { false }

    /// Runs until it has to wait; the caller has given it the turn.
    func run(_ causes: Causes, on thread: ShardThread) {
        preconditionFailure("a schedulable that does nothing")
    }

    /// For a thread that would run it now: true, it has the turn; false, who has it runs it again, or it
    /// is in a queue.
    func arrive(_ causes: Causes) -> Bool {
        var seen = word.load(ordering: .relaxed)
        while true {
            let next: UInt32
            switch seen & Turn.mask {
            case Turn.idle: next = Turn.running
            case Turn.queued: next = seen | causes.rawValue
            default: next = seen & ~Turn.mask | Turn.woken | causes.rawValue
            }
            let (exchanged, now) = word.weakCompareExchange(
                expected: seen, desired: next, ordering: .acquiringAndReleasing)
            if exchanged {
                guard seen & Turn.mask == Turn.idle else { return false }
                holder.take()
                return true
            }
            seen = now
        }
    }

    /// Takes the turn of something that should be idle; who has it for a late event gives it back at once.
    /// False: it is in a queue, or does not become idle.
    func claim() -> Bool {
        for _ in 0..<10_000 {
            if claimIfIdle() { return true }
            if word.load(ordering: .relaxed) & Turn.mask == Turn.queued { return false }
            Thread.yield()
        }
        return false
    }

    /// Takes the turn unless somebody has it or it is in a queue.
    func claimIfIdle() -> Bool {
        let isTaken = word.compareExchange(
            expected: Turn.idle, desired: Turn.running, ordering: .acquiringAndReleasing
        ).exchanged
        if isTaken { holder.take() }
        return isTaken
    }

    /// For everybody else: true, the caller puts it into a queue.
    func wake(_ causes: Causes) -> Bool {
        var seen = word.load(ordering: .relaxed)
        while true {
            let turn: UInt32
            switch seen & Turn.mask {
            case Turn.idle, Turn.queued: turn = Turn.queued
            default: turn = Turn.woken
            }
            let (exchanged, now) = word.weakCompareExchange(
                expected: seen, desired: seen & ~Turn.mask | turn | causes.rawValue,
                ordering: .acquiringAndReleasing)
            if exchanged { return seen & Turn.mask == Turn.idle }
            seen = now
        }
    }

    /// It has come out of a queue: the caller has the turn, and gets the causes.
    func beginTurn() -> Causes {
        let seen = word.exchange(Turn.running, ordering: .acquiringAndReleasing)
        holder.take()
        return Causes(rawValue: seen & ~Turn.mask)
    }

    /// Gives the turn back: nil. Or it was woken meanwhile: the caller keeps the turn and runs it again,
    /// for these causes.
    func endTurn() -> Causes? {
        checkTurn()
        holder.leave()
        let (ended, seen) = word.compareExchange(
            expected: Turn.running, desired: Turn.idle, ordering: .acquiringAndReleasing)
        if ended { return nil }
        assert(seen & Turn.mask == Turn.woken, "who has the turn is running, woken or not")
        return beginTurn()
    }

    /// Gives the turn to a queue, where the caller puts it.
    func yield(_ causes: Causes) {
        checkTurn()
        holder.leave()
        var seen = word.load(ordering: .relaxed)
        while true {
            let (exchanged, now) = word.weakCompareExchange(
                expected: seen, desired: seen & ~Turn.mask | Turn.queued | causes.rawValue,
                ordering: .acquiringAndReleasing)
            if exchanged { return }
            seen = now
        }
    }

    // MARK: Who has the turn

    /// Traps in debug builds unless the calling thread has the turn.
    @inline(__always) func checkTurn() { holder.check("only who has the turn may do this") }

    /// Whoever calls `takeOver` goes on with the turn, which is not given back in between.
    func passOn() {
        checkTurn()
        holder.leave()
    }

    func takeOver() { holder.take() }

    /// It is in a queue, or on its way there.
    var isQueued: Bool { word.load(ordering: .relaxed) & Turn.mask == Turn.queued }
    /// Whether somebody has woken it since it began to run.
    var isWoken: Bool { word.load(ordering: .relaxed) & Turn.mask == Turn.woken }
}
