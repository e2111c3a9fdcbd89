// A circuit breaker as a value.
// SPDX-License-Identifier: Apache-2.0

import Platform
import Testing

@testable import Supervision

struct QuarantineTests {
    private let start = Instant(nanoseconds: 1_000_000_000)

    private func fail(_ quarantine: inout Quarantine, after seconds: Double) -> Bool {
        quarantine.failed(now: start.adding(seconds: seconds))
    }

    @Test func enoughFaultsWithinAMinuteOpenItAndSlowerOnesNever() {
        var quick = Quarantine(limit: 3)
        #expect([0, 1, 2].map { fail(&quick, after: $0) } == [false, false, true])
        #expect(quick.isOpen(start.adding(seconds: 31.9)))
        #expect(quick.isOnTrial(start.adding(seconds: 32)))
        var slow = Quarantine(limit: 3)
        for round in 0..<20 { #expect([fail(&slow, after: Double(round) * 30)] == [false]) }
        var never = Quarantine(limit: 0)
        for _ in 0..<100 { #expect([fail(&never, after: 0)] == [false]) }
    }

    @Test func eachTrialThatFailsDoublesThePauseUpToTenMinutes() {
        var quarantine = Quarantine(limit: 1)
        var time = 0.0
        var pauses: [Double] = []
        for _ in 0..<8 {
            #expect([fail(&quarantine, after: time)] == [true])
            let pause = quarantine.until!.seconds(since: start.adding(seconds: time))
            pauses.append(pause.rounded())
            time += pause
        }
        #expect(pauses == [30, 60, 120, 240, 480, 600, 600, 600])
    }

    @Test func whatWasUnderWayWhenItOpenedProvesNothingNew() {
        var quarantine = Quarantine(limit: 1)
        #expect([fail(&quarantine, after: 0), fail(&quarantine, after: 1)] == [true, false])
        #expect(quarantine.isOnTrial(start.adding(seconds: 30)))
    }

    @Test func anAnswerClosesItAndThePauseIsShortAgain() {
        var quarantine = Quarantine(limit: 1)
        _ = fail(&quarantine, after: 0)
        _ = fail(&quarantine, after: 30)
        quarantine.close()
        #expect(quarantine.until == nil)
        _ = fail(&quarantine, after: 100)
        #expect(quarantine.isOnTrial(start.adding(seconds: 130)))
    }
}
