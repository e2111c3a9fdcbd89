// Strikes as a value.
// SPDX-License-Identifier: Apache-2.0

import Platform
import Testing

@testable import Supervision

struct StrikeLedgerTests {
    private let start = Instant(nanoseconds: 1_000_000_000)

    private func strike(
        _ ledger: inout StrikeLedger, after seconds: Double, weight: Double = 1,
        identity: String = "v1", limit: Int = 3
    ) -> StrikeLedger.Outcome {
        ledger.strike(
            "x", identity: identity, weight: weight, limit: limit,
            now: start.adding(seconds: seconds))
    }

    @Test func threeStrikesWithinAMinuteDemote() {
        var ledger = StrikeLedger()
        #expect(strike(&ledger, after: 0) == .strike(1, of: 3))
        #expect(strike(&ledger, after: 30) == .strike(2, of: 3))
        #expect(!ledger.isDemoted("x", identity: "v1"))
        #expect(strike(&ledger, after: 59) == .demoted)
        #expect(ledger.isDemoted("x", identity: "v1"))
        #expect(strike(&ledger, after: 60) == .alreadyDemoted)
    }

    @Test func fiveStrikesWithinTenMinutesDemote() {
        var ledger = StrikeLedger()
        for round in 0..<4 {
            #expect(strike(&ledger, after: Double(round) * 100) == .strike(1, of: 3))
        }
        #expect(strike(&ledger, after: 400) == .demoted)
        var slow = StrikeLedger()
        for round in 0..<20 {
            #expect(strike(&slow, after: Double(round) * 200) == .strike(1, of: 3))
        }
    }

    @Test func aLimitOfOneDemotesAtOnceAndOneOfNoneNever() {
        var ledger = StrikeLedger()
        #expect(strike(&ledger, after: 0, limit: 1) == .demoted)
        var never = StrikeLedger()
        for second in 0..<100 {
            #expect(strike(&never, after: Double(second), limit: 0) == .ignored)
        }
        #expect(!never.isDemoted("x", identity: "v1"))
    }

    @Test func anotherVersionStartsAnewAndSoDoesOneThatIsReleased() {
        var ledger = StrikeLedger()
        #expect(strike(&ledger, after: 0, limit: 1) == .demoted)
        #expect(!ledger.isDemoted("x", identity: "v2"))
        #expect(strike(&ledger, after: 1, identity: "v2") == .strike(1, of: 3))
        #expect(strike(&ledger, after: 2, identity: "v2") == .strike(2, of: 3))
        ledger.release("x")
        #expect(strike(&ledger, after: 3, identity: "v2") == .strike(1, of: 3))
    }

    @Test func sharesOfTheBlameAddUp() {
        var ledger = StrikeLedger()
        for third in 0..<8 {
            #expect(strike(&ledger, after: Double(third), weight: 1 / 3) != .demoted)
        }
        #expect(strike(&ledger, after: 9, weight: 1 / 3) == .demoted)
    }
}
