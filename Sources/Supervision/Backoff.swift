// How long to wait before a failed start is tried again.
// SPDX-License-Identifier: Apache-2.0

import Platform

/// Delays between attempts: none, 100 ms, 200 ms, 400 ms … at most `longest`; after a minute without
/// a failure the row begins anew.
struct Backoff: Sendable, Equatable {
    static let forgiveness = 60.0

    /// Seconds.
    let longest: Double

    /// Failures in a row.
    private(set) var failures = 0
    /// No attempt before this point.
    private(set) var notBefore = Instant(nanoseconds: .min)
    private var lastFailure = Instant(nanoseconds: .min)

    init(longest: Double = 30) { self.longest = longest }

    mutating func fail(now: Instant) {
        if failures > 0 && now >= max(lastFailure, notBefore).adding(seconds: Self.forgiveness) {
            failures = 0
        }
        failures += 1
        lastFailure = now
        notBefore = now.adding(seconds: delay)
    }

    private var delay: Double {
        guard failures > 1 else { return 0 }
        // Beyond 2^9 tenths of a second the cap holds; the shift must not overflow.
        return min(longest, 0.1 * Double(1 << min(failures - 2, 9)))
    }

    mutating func reset() { self = Backoff(longest: longest) }
}
