// The date and the time on the wall, where the machine stands.
// SPDX-License-Identifier: Apache-2.0

import Glibc

/// A local time in whole minutes. A change of the clocks repeats some of them and leaves out others.
package struct LocalTime: Sendable, Equatable {
    /// Grows from one date to the next.
    package var day: Int
    /// Since midnight, as clocks show it.
    package var minute: Int

    package init(day: Int, minute: Int) { (self.day, self.minute) = (day, minute) }

    /// The time zone is the one of TZ, else of /etc/localtime as it is now (man 3 tzset).
    package init(at seconds: Int64) {
        tzset()
        var time = time_t(seconds)
        var parts = tm()
        localtime_r(&time, &parts)
        day = Int(parts.tm_year) * 366 + Int(parts.tm_yday)
        minute = Int(parts.tm_hour) * 60 + Int(parts.tm_min)
    }

    package static var now: LocalTime { LocalTime(at: WallClock.seconds) }
}
