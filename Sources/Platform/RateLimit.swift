// How often a thing may happen: a bucket of tokens.
// SPDX-License-Identifier: Apache-2.0

/// Lets a burst pass and then so many a second; counts what it held back.
///
///     if limit.admits(at: .now) { log(.warning, "again, \(limit.takeSuppressed()) like it untold") }
package struct RateLimit: Sendable {
    private let burst: Double
    private let perSecond: Double
    private var tokens: Double
    private var filled: Instant?
    private var suppressed = 0

    package init(burst: Int, perSecond: Double) {
        self.burst = Double(max(1, burst))
        self.perSecond = max(0, perSecond)
        tokens = self.burst
    }

    /// Whether it may happen now; a refusal is counted.
    package mutating func admits(at now: Instant) -> Bool {
        if let filled, now > filled {
            tokens = min(burst, tokens + now.seconds(since: filled) * perSecond)
        }
        if filled == nil || now > filled! { filled = now }
        guard tokens >= 1 else {
            if suppressed < .max { suppressed += 1 }
            return false
        }
        tokens -= 1
        return true
    }

    /// How many were refused since the last call.
    package mutating func takeSuppressed() -> Int {
        defer { suppressed = 0 }
        return suppressed
    }
}
