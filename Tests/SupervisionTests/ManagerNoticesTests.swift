// What the service manager is told, and in which order.
// SPDX-License-Identifier: Apache-2.0

import Platform
import Testing

@testable import Supervision

struct ManagerNoticesTests {
    private let second = Instant(nanoseconds: 1_000_000_000)

    private func ready() -> ManagerNotices {
        var notices = ManagerNotices()
        notices.serves("serving on x")
        notices.sent()
        return notices
    }

    @Test func theFirstHostMakesTheServiceReadyAndLaterOnesAreASentence() {
        var notices = ManagerNotices()
        notices.serves("serving on x")
        notices.serves("serving again on x")
        #expect(
            notices.waiting == ["READY=1\nSTATUS=serving on x", "STATUS=serving again on x"])
    }

    @Test func aReloadBeforeTheServiceIsReadyIsPartOfItsStart() {
        var notices = ManagerNotices()
        notices.reloadIsWanted(now: second)
        notices.reloadEnded("refused")
        #expect(notices.waiting.isEmpty)
    }

    @Test func twoWantedReloadsEndWithOneReady() {
        var notices = ready()
        notices.reloadIsWanted(now: second)
        notices.reloadIsWanted(now: second.adding(seconds: 1))
        notices.reloadEnded("in force\n")
        notices.reloadEnded("of another cause")
        #expect(
            notices.waiting == [
                "RELOADING=1\nMONOTONIC_USEC=1000000\nSTATUS=reading the configuration",
                "RELOADING=1\nMONOTONIC_USEC=2000000\nSTATUS=reading the configuration",
                "READY=1\nSTATUS=in force",
            ])
    }

    @Test func afterTheStopNothingElseIsSaid() {
        var notices = ready()
        notices.reloadIsWanted(now: second)
        notices.sent()
        notices.stops("stopping", within: 1.5)
        notices.reloadEnded("refused")
        notices.says("more")
        notices.stops("at once", within: 1)
        #expect(
            notices.waiting == ["STOPPING=1\nEXTEND_TIMEOUT_USEC=1500000\nSTATUS=stopping"])
    }

    @Test func aSentenceCannotSetAVariable() {
        var notices = ready()
        notices.says("a\nMAINPID=1\r\n")
        #expect(notices.waiting == ["STATUS=a MAINPID=1"])
    }

    @Test func whatAManagerDoesNotTakeIsBounded() {
        var notices = ready()
        notices.reloadIsWanted(now: second)
        for number in 0..<1000 { notices.says("\(number) \(String(repeating: "x", count: 5000))") }
        #expect(notices.waiting.count == 16)
        #expect(notices.waiting[0].hasPrefix("RELOADING=1"))
        #expect(notices.waiting.allSatisfy { $0.utf8.count < 1100 })
    }
}
