// When a pool whose workers crash again and again is left alone.
// SPDX-License-Identifier: Apache-2.0

import Platform

/// A circuit breaker as a value: faults and successes go in, time is an argument.
///
///     closed ──too many faults within a minute──► open ──pause is over──► on trial ──answered──► closed
///                                                   ▲                        │
///                                                   └──── twice the pause ───┴─ another fault
struct Quarantine: Sendable, Equatable {
    /// Seconds.
    static let window = 60.0
    static let firstPause = 30.0
    static let longestPause = 600.0

    /// Faults within the window that open it; 0: none do.
    let limit: Int
    private var faults: [Instant] = []
    private var pause = firstPause
    /// Nil: closed.
    private(set) var until: Instant?

    init(limit: Int) { self.limit = limit }

    func isOpen(_ now: Instant) -> Bool { until.map { now < $0 } ?? false }
    func isOnTrial(_ now: Instant) -> Bool { until.map { now >= $0 } ?? false }

    /// Another fault. True: it opens, or opens again.
    mutating func failed(now: Instant) -> Bool {
        guard limit > 0 else { return false }
        if let until {
            // What was under way when it opened proves nothing new.
            guard now >= until else { return false }
            pause = min(Self.longestPause, pause * 2)
        } else {
            faults.removeAll { now.seconds(since: $0) >= Self.window }
            faults.append(now)
            guard faults.count >= limit else { return false }
            faults = []
        }
        until = now.adding(seconds: pause)
        return true
    }

    /// Until somebody closes it.
    mutating func openByHand() { until = .never }

    /// A request was answered, or somebody knows better.
    mutating func close() { self = Quarantine(limit: limit) }
}
