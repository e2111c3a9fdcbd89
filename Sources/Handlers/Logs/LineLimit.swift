// How many lines of one kind may be logged; any thread asks.
// SPDX-License-Identifier: Apache-2.0

import Platform
import Synchronization

/// How many lines of one kind may be logged; any thread asks.
final class LineLimit: Sendable {
    private let limit: Mutex<RateLimit>

    init(burst: Int, perSecond: Double) {
        limit = Mutex(RateLimit(burst: burst, perSecond: perSecond))
    }

    /// Nil: the line is to be left out. Else how many were left out before it.
    func admit(at now: Instant) -> Int? {
        limit.withLock { $0.admits(at: now) ? $0.takeSuppressed() : nil }
    }
}
