// How many workers of all pools together may start at a time.
// SPDX-License-Identifier: Apache-2.0

import Platform

/// Pools whose workers wait for their turn, first come, first served: a machine that starts everything at
/// once answers nobody meanwhile.
struct StartQueue {
    private var rate: StartRate
    /// One entry for each worker.
    private var waiting: [UInt64] = []

    init(perSecond: Double, burst: Int) { rate = StartRate(perSecond: perSecond, burst: burst) }

    /// Whether a worker of the pool may start at once; otherwise it waits, and `next` gives it.
    mutating func admits(_ pool: UInt64, now: Instant) -> Bool {
        if waiting.isEmpty && rate.take(now: now) { return true }
        waiting.append(pool)
        return false
    }

    /// A pool that may start a worker now.
    mutating func next(now: Instant) -> UInt64? {
        guard !waiting.isEmpty, rate.take(now: now) else { return nil }
        return waiting.removeFirst()
    }

    /// When `next` gives one; never while nobody waits.
    func deadline(now: Instant) -> Instant { waiting.isEmpty ? .never : rate.next(now: now) }

    /// Removes those that need not start any more.
    mutating func cancel(where isCancelled: (UInt64) -> Bool) -> [UInt64] {
        let cancelled = waiting.filter(isCancelled)
        waiting.removeAll(where: isCancelled)
        return cancelled
    }
}
