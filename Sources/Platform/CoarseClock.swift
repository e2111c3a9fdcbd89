// The time to within a few hundredths of a second, for the price of reading a number.
// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Time as somebody last looked at the clock. For deadlines of seconds and the Date field, not for
/// measuring; a process that never calls `tick` gets the real time.
package enum CoarseClock {
    private static let monotonic = Atomic<Int64>(0)
    private static let wall = Atomic<Int64>(0)

    /// Looks at the clocks. Called again and again by one thread.
    package static func tick() {
        monotonic.store(Instant.now.nanoseconds, ordering: .relaxed)
        wall.store(WallClock.seconds, ordering: .relaxed)
    }

    package static var now: Instant {
        let time = monotonic.load(ordering: .relaxed)
        return time == 0 ? .now : Instant(nanoseconds: time)
    }

    /// Seconds since 1970.
    package static var wallSeconds: Int64 {
        let time = wall.load(ordering: .relaxed)
        return time == 0 ? WallClock.seconds : time
    }
}
