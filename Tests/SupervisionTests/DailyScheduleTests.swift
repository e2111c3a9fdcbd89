// Times of day, without a clock.
// SPDX-License-Identifier: Apache-2.0

import Platform
import Testing

@testable import Supervision

struct DailyScheduleTests {
    private static let times = [0, 150, 930]

    /// What each look gives, a look for each (day, minute).
    private func looks(_ at: [(Int, Int)], _ times: [Int] = times) -> [Int?] {
        var schedule = DailySchedule()
        return at.map { schedule.due(times, at: LocalTime(day: $0.0, minute: $0.1)) }
    }

    @Test func eachTimeComesOnceADay() {
        let day = (0..<1440).map { (1, $0) }
        let next = (0..<1440).map { (2, $0) }
        let found = looks([(0, 1439)] + day + next).compactMap(\.self)
        #expect(found == Self.times + Self.times)
    }

    @Test func whatWasBeforeTheStartIsOver() {
        #expect(looks([(1, 931), (1, 1439)]) == [nil, nil])
        #expect(looks([(1, 930), (1, 930), (1, 931)]) == [nil, nil, nil])
    }

    @Test func aTimeThatTheClocksLeaveOutComesWithTheNextMinute() {
        // 01:59 is followed by 03:00.
        #expect(looks([(1, 118), (1, 119), (1, 180), (1, 181)]) == [nil, nil, 150, nil])
    }

    @Test func aTimeThatIsRepeatedComesOnce() {
        // 02:59 is followed by 02:00.
        #expect(
            looks([(1, 149), (1, 150), (1, 179), (1, 120), (1, 150), (1, 180)])
                == [nil, 150, nil, nil, nil, nil])
    }

    @Test func aClockThatIsSetBackOverMidnightRepeatsNothing() {
        #expect(
            looks([(1, 149), (1, 150), (0, 1000), (1, 10), (1, 150), (2, 0)])
                == [nil, 150, nil, nil, nil, 0])
    }

    @Test func whatWasSleptThroughComesOnceAfterwards() {
        #expect(looks([(1, 100), (1, 1000), (1, 1001)]) == [nil, 930, nil])
        #expect(looks([(1, 100), (2, 140), (2, 141)], [930]) == [nil, 930, nil])
        #expect(looks([(1, 100), (9, 160), (9, 161)]) == [nil, 150, nil])
    }

    @Test func withoutTimesNothingComes() { #expect(looks([(1, 0), (2, 0)], []) == [nil, nil]) }
}
