// What can go on and has no socket event to say so.
// SPDX-License-Identifier: Apache-2.0

import Platform
import Synchronization

/// First in, first out; intrusive, so that nothing is allocated; one short lock.
///
/// Two rows: what any thread may run, and what waits for a thread that may start a handler, which the
/// thread that is kept in reserve never takes.
final class RunQueue: Sendable {
    private struct Row {
        var first: Unmanaged<Schedulable>?
        var last: Unmanaged<Schedulable>?

        mutating func append(_ item: Schedulable) {
            assert(item.isQueued, "who makes it queued puts it into the queue, once")
            let reference = Unmanaged.passUnretained(item)
            item.nextInQueue = nil
            if let last {
                last._withUnsafeGuaranteedRef { $0.nextInQueue = reference }
            } else {
                first = reference
            }
            last = reference
        }

        mutating func popFirst() -> Unmanaged<Schedulable>? {
            guard let item = first else { return nil }
            item._withUnsafeGuaranteedRef {
                first = $0.nextInQueue
                $0.nextInQueue = nil
            }
            if first == nil { last = nil }
            return item
        }

        var oldest: Instant? { first?._withUnsafeGuaranteedRef { $0.queuedAt } }
    }

    private struct Rows: @unchecked Sendable {
        // because the queue's lock guards them, and what is queued has nobody else's turn
        var general = Row()
        var handlers = Row()
    }

    private let rows = Mutex(Rows())
    /// [any] What is in both rows; read without the lock by threads about to sleep.
    private let counts = Atomic<Int>(0)

    /// Nothing for anybody.
    var isEmpty: Bool { counts.load(ordering: .sequentiallyConsistent) == 0 }

    /// Something waits for a thread that may start a handler.
    var hasHandlers: Bool { !isEmpty && rows.withLock { $0.handlers.oldest != nil } }

    /// The caller has made it `queued`.
    func append(_ item: Schedulable, waitsForHandler: Bool) {
        let now = CoarseClock.now
        let reference = Unmanaged.passUnretained(item)
        rows.withLock { rows in
            reference._withUnsafeGuaranteedRef { item in
                item.queuedAt = now
                if waitsForHandler { rows.handlers.append(item) } else { rows.general.append(item) }
            }
        }
        counts.add(1, ordering: .sequentiallyConsistent)
    }

    /// The next one; `startsHandlers`: of either row, what has waited longer goes first.
    func popFirst(startsHandlers: Bool) -> Unmanaged<Schedulable>? {
        guard counts.load(ordering: .relaxed) > 0 else { return nil }
        let item = rows.withLock { rows -> Found in
            let takesHandler: Bool
            switch (rows.general.oldest, rows.handlers.oldest) {
            case (let general?, let handler?): takesHandler = handler < general
            case (nil, _): takesHandler = true
            default: takesHandler = false
            }
            if takesHandler && startsHandlers { return Found(rows.handlers.popFirst()) }
            return Found(rows.general.popFirst())
        }
        guard let found = item.reference else { return nil }
        counts.subtract(1, ordering: .relaxed)
        return found
    }

    /// Of what waits for a thread that may start a handler: the first, when it was put there before `limit`.
    func popHandler(queuedBefore limit: Instant) -> Unmanaged<Schedulable>? {
        guard counts.load(ordering: .relaxed) > 0 else { return nil }
        let item = rows.withLock { rows -> Found in
            guard let oldest = rows.handlers.oldest, oldest < limit else { return Found(nil) }
            return Found(rows.handlers.popFirst())
        }
        guard let found = item.reference else { return nil }
        counts.subtract(1, ordering: .relaxed)
        return found
    }

    /// Since when the first in either row has waited; nil when nothing waits.
    var oldest: Instant? {
        guard counts.load(ordering: .relaxed) > 0 else { return nil }
        return rows.withLock { rows in
            switch (rows.general.oldest, rows.handlers.oldest) {
            case (let general?, let handler?): min(general, handler)
            case (let one, let other): one ?? other
            }
        }
    }

    private struct Found: @unchecked Sendable {
        // because whoever took it out of the queue has its turn
        let reference: Unmanaged<Schedulable>?
        init(_ reference: Unmanaged<Schedulable>?) { self.reference = reference }
    }
}
