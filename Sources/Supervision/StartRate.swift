// At most so many starts a second, with a first burst.
// SPDX-License-Identifier: Apache-2.0

import Platform

/// At most so many starts a second, with a first burst.
struct StartRate: Sendable, Equatable {
    private let perSecond: Double
    private let burst: Double
    private var tokens: Double
    private var filled: Instant?

    init(perSecond: Double, burst: Int) {
        self.perSecond = perSecond
        self.burst = Double(burst)
        tokens = Double(burst)
    }

    /// Takes one start, or tells nothing and changes nothing when there is none to be had now.
    mutating func take(now: Instant) -> Bool {
        fill(now)
        guard tokens >= 1 else { return false }
        tokens -= 1
        return true
    }

    /// When the next start is to be had.
    func next(now: Instant) -> Instant {
        var copy = self
        copy.fill(now)
        if copy.tokens >= 1 { return now }
        return now.adding(seconds: (1 - copy.tokens) / perSecond + 0.001)
    }

    private mutating func fill(_ now: Instant) {
        if let filled {
            tokens = min(burst, tokens + max(0, now.seconds(since: filled)) * perSecond)
        }
        filled = now
    }
}
