// Probes run a few at a time, each with its own deadline, and only the library is ever to blame.
// SPDX-License-Identifier: Apache-2.0

import Platform
import Testing

@testable import Supervision

struct ProbeScheduleTests {
    private let start = Instant(nanoseconds: 0)

    @Test func deadlineCountsFromTheProbesOwnStart() {
        var schedule = ProbeSchedule(count: 1000, most: 2)
        var now = start
        var finished: [Int] = []
        // Each takes a second: the last ends long after the first one's deadline.
        while !schedule.isDone {
            var running: [Int] = []
            while let probe = schedule.next(now) {
                schedule.started(probe, now)
                running.append(probe)
            }
            #expect(running.count <= 2)
            now = now.adding(seconds: 1)
            #expect(schedule.overdue(now) == [])
            for probe in running {
                #expect(schedule.ended(probe, killedByOthers: false) == false)
                finished.append(probe)
            }
        }
        #expect(finished == Array(0..<1000))
    }

    @Test func oneThatHangsIsOverdueOnceAndHoldsUpNobodyElse() {
        var schedule = ProbeSchedule(count: 3, most: 2)
        for _ in 0..<2 { schedule.started(schedule.next(start)!, start) }
        #expect(schedule.next(start) == nil)
        _ = schedule.ended(1, killedByOthers: false)
        let third = schedule.next(start)
        #expect(third == 2)
        schedule.started(2, start.adding(seconds: 2))
        #expect(schedule.deadline == start.adding(seconds: ProbeSchedule.patience))
        let late = start.adding(seconds: ProbeSchedule.patience)
        #expect(schedule.overdue(late) == [0])
        #expect(schedule.overdue(late) == [])
        #expect(schedule.deadline > late)
        #expect(schedule.ended(0, killedByOthers: false) == false)
    }

    @Test func oneKilledByOthersRunsOnceMore() {
        var schedule = ProbeSchedule(count: 1, most: 1)
        schedule.started(schedule.next(start)!, start)
        #expect(schedule.ended(0, killedByOthers: true) == true)
        #expect(schedule.next(start) == 0)
        schedule.started(0, start)
        #expect(schedule.ended(0, killedByOthers: true) == false)
        #expect(schedule.isDone)
    }

    @Test func processThatCannotBeStartedIsTriedAgainForAWhile() {
        var schedule = ProbeSchedule(count: 1, most: 1)
        var now = start
        var attempts = 0
        while let probe = schedule.next(now) {
            attempts += 1
            guard schedule.failed(probe, now) else { break }
            #expect(schedule.next(now) == nil)
            now = schedule.deadline
        }
        #expect(attempts > 10 && schedule.isDone)
        #expect(now.seconds(since: start) >= ProbeSchedule.patience)
    }
}
