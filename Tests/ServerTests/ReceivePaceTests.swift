// How fast a client has to send a body to whoever waits for it.
// SPDX-License-Identifier: Apache-2.0

import Platform
import Testing

@testable import Server

@Suite struct ReceivePaceTests {
    private let limits = HTTP1Life.Limits(
        head: 10, body: 60, keepAlive: 15, receive: 100, leastRate: 240)

    private func at(_ seconds: Double) -> Instant {
        Instant(nanoseconds: 0).adding(seconds: 1000 + seconds)
    }

    @Test func theTimeInWhichNobodyReadsIsNotTheClients() {
        var pace = ReceivePace(now: at(0))
        let isFast = pace.came(2400, limits, now: at(5))
        #expect(isFast)
        pace.pause(now: at(6))
        pace.goOn(now: at(1006))
        // 2400 bytes are enough for ten seconds after the grace, six of which have passed.
        #expect(pace.due(limits, now: at(1006)) == at(1016))
        let isStillFast = pace.came(1, limits, now: at(1014))
        #expect(isStillFast)
        let isTooSlow = !pace.came(1, limits, now: at(1017))
        #expect(isTooSlow)
    }

    @Test func theWholeHasItsTimeOfWaiting() {
        var pace = ReceivePace(now: at(0))
        pace.pause(now: at(99))
        pace.goOn(now: at(500))
        let isInTime = pace.came(1 << 20, limits, now: at(500.5))
        #expect(isInTime)
        #expect(pace.due(limits, now: at(500.5)) == at(501))
        let isOver = !pace.came(1 << 20, limits, now: at(501))
        #expect(isOver)
    }
}
