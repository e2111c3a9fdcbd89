// Times of day, each once a day.
// SPDX-License-Identifier: Apache-2.0

import Platform

/// Which of the named times of day have come, as a value: the time on the wall goes in at every look.
///
/// Each comes once for each date, whatever the clocks do: one that a change of the clocks leaves out comes with
/// the first minute after it, one that is repeated does not come again, nor does any when the clock is set
/// back. What came before the first look is over.
struct DailySchedule: Sendable, Equatable {
    /// Of the date `day`, those up to `reached` have come.
    private var day = Int.min
    private var reached = -1

    /// The latest of the times (minutes after midnight) that have come since the last look.
    mutating func due(_ times: [Int], at time: LocalTime) -> Int? {
        let isFirst = day == .min
        guard !isFirst else {
            (day, reached) = (time.day, time.minute)
            return nil
        }
        guard time.day >= day else { return nil }
        var come: Int?
        if time.day > day {
            come = times.last { $0 > reached }
            (day, reached) = (time.day, -1)
        }
        come = times.last { $0 > reached && $0 <= time.minute } ?? come
        reached = max(reached, time.minute)
        return come
    }
}
