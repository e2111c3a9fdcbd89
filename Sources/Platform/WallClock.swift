// The time of day.
// SPDX-License-Identifier: Apache-2.0

import Glibc

package enum WallClock {
    /// Seconds since 1970 (CLOCK_REALTIME).
    package static var seconds: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec)
    }
}
