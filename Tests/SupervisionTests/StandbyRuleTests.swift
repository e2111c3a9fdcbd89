// How many hosts stand by, without a process or a clock.
// SPDX-License-Identifier: Apache-2.0

import Platform
import Testing

@testable import Supervision

struct StandbyRuleTests {
    private let start = Instant(nanoseconds: 1_000_000_000)

    @Test func oneStandsByBesideOneThatServesAndTwoWhileHostsDie() {
        var rule = StandbyRule()
        #expect(rule.wanted(isServing: false, keepsSpare: false, now: start) == 1)
        #expect(rule.wanted(isServing: true, keepsSpare: true, now: start) == 1)
        rule.died(now: start)
        #expect(rule.wanted(isServing: false, keepsSpare: true, now: start) == 3)
        #expect(rule.wanted(isServing: true, keepsSpare: true, now: start) == 2)
        let later = start.adding(seconds: StandbyRule.alarm)
        #expect(rule.nextChange(now: start) == later)
        #expect(rule.wanted(isServing: true, keepsSpare: true, now: later) == 1)
    }

    @Test func withoutASpareOneIsStartedOnlyWhenNoneServes() {
        let rule = StandbyRule()
        #expect(rule.wanted(isServing: true, keepsSpare: false, now: start) == 0)
        #expect(rule.wanted(isServing: false, keepsSpare: false, now: start) == 1)
    }

    @Test func deathsOfHostsThatHaveServedPutOffNothing() {
        var rule = StandbyRule()
        for _ in 0..<100 {
            rule.died(now: start)
            let mayStart = rule.mayStart(now: start)
            #expect(mayStart)
        }
        // Only that no processor does nothing else: twenty a second for ever.
        let mayStart = rule.mayStart(now: start)
        #expect(!mayStart)
        #expect(rule.next(now: start) <= start.adding(seconds: 0.06))
    }

    @Test func hostsThatNeverBecomeReadyAreTriedAtGrowingIntervals() {
        var rule = StandbyRule()
        rule.failed(now: start)
        var mayStart = rule.mayStart(now: start)
        #expect(mayStart)
        rule.failed(now: start)
        mayStart = rule.mayStart(now: start)
        #expect(!mayStart)
        #expect(rule.next(now: start) == start.adding(seconds: 0.1))
        for _ in 0..<20 { rule.failed(now: start) }
        #expect(rule.next(now: start) == start.adding(seconds: 5))
        rule.becameReady()
        mayStart = rule.mayStart(now: start)
        #expect(mayStart)
    }
}
