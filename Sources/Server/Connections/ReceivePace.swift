// Whether a client sends its body fast enough.
// SPDX-License-Identifier: Apache-2.0

import Platform

/// Watches one body on its way while somebody waits for it: the next part, the whole, and a least rate.
///
/// A value: time is an argument. The time between `pause` and `goOn` is not the client's.
struct ReceivePace {
    /// Seconds in which nobody is too slow.
    private static let grace = 5.0

    private var bytes: Int64 = 0
    /// When the waiting began; later by each pause since.
    private var since: Instant
    private var pausedAt: Instant?

    init(now: Instant) { since = now }

    /// The next part of the body, the end of all of it, and the moment from which on it is too slow,
    /// whichever comes first.
    func due(_ limits: HTTP1Life.Limits, now: Instant) -> Instant {
        let next = min(now.adding(seconds: limits.body), since.adding(seconds: limits.receive))
        guard limits.leastRate > 0 else { return next }
        let allowed = Double(bytes) / limits.leastRate + Self.grace
        return min(next, since.adding(seconds: allowed + 1))
    }

    /// Bytes have come. False: they come too slowly, or the whole has taken too long.
    mutating func came(_ count: Int, _ limits: HTTP1Life.Limits, now: Instant) -> Bool {
        bytes &+= Int64(count)
        let passed = now.seconds(since: since)
        if passed >= limits.receive { return false }
        guard passed > Self.grace, limits.leastRate > 0 else { return true }
        return Double(bytes) >= limits.leastRate * (passed - Self.grace)
    }

    /// Nobody waits for the client.
    mutating func pause(now: Instant) { pausedAt = now }

    mutating func goOn(now: Instant) {
        guard let pausedAt else { return }
        since = since.adding(seconds: now.seconds(since: pausedAt))
        self.pausedAt = nil
    }
}
