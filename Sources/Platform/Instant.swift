// Time that never jumps, and the date on the wall.
// SPDX-License-Identifier: Apache-2.0

import Glibc

/// A point on the monotonic clock, in nanoseconds (man 2 clock_gettime, CLOCK_MONOTONIC).
///
/// Every deadline is one of these: setting the wall clock moves none of them.
package struct Instant: Comparable, Hashable, Sendable {
    package var nanoseconds: Int64

    package init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    package static var now: Instant {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Instant(nanoseconds: Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec))
    }

    package static let never = Instant(nanoseconds: .max)

    package static func < (left: Instant, right: Instant) -> Bool {
        left.nanoseconds < right.nanoseconds
    }

    /// Later by so many seconds; saturates.
    package func adding(seconds: Double) -> Instant {
        let delta = seconds * 1_000_000_000
        guard delta < 9e18, self != .never else { return .never }
        let (sum, overflow) = nanoseconds.addingReportingOverflow(Int64(delta))
        return overflow ? .never : Instant(nanoseconds: sum)
    }

    /// Seconds from `earlier` to this point.
    package func seconds(since earlier: Instant) -> Double {
        Double(nanoseconds &- earlier.nanoseconds) / 1_000_000_000
    }

    /// Milliseconds until this point for poll(2) and epoll_wait(2): 0 when past, rounded up, -1 for never.
    package func pollTimeout(from now: Instant = .now) -> Int32 {
        if self == .never { return -1 }
        if self <= now { return 0 }
        let milliseconds = (nanoseconds &- now.nanoseconds) / 1_000_000 + 1
        return Int32(clamping: milliseconds)
    }
}
