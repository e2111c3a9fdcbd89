// Which process is exchanged, without a process or a clock.
// SPDX-License-Identifier: Apache-2.0

import Configuration
import Platform
import Testing

@testable import Supervision

struct RecyclingRuleTests {
    private static func at(_ seconds: Double) -> Instant {
        Instant(nanoseconds: 0).adding(seconds: seconds)
    }

    private static func limits(
        after: Double = 0, memory: Int64 = 0, own: Int64 = 0, descriptors: Int = 0, at: [Int] = []
    ) -> Settings.Recycling {
        var limits = Settings.Recycling()
        limits.after = after
        limits.memory = memory
        limits.privateMemory = own
        limits.descriptors = descriptors
        limits.at = at
        return limits
    }

    private static func subject(
        _ id: UInt64, started: Double = 0, resident: Int64 = 0, own: Int64 = 0,
        descriptors: Int = 0, unhealthy: String? = nil
    ) -> RecyclingRule.Subject {
        RecyclingRule.Subject(
            id: id, started: at(started),
            use: ProcessUse(resident: resident, own: own, descriptors: descriptors),
            unhealthy: unhealthy)
    }

    @Test func withoutLimitsNobodyIsExchanged() {
        var rule = RecyclingRule()
        let large = Self.subject(1, resident: .max, own: .max, descriptors: .max)
        #expect(rule.decide([large], Self.limits(), now: Self.at(1e9)) == nil)
    }

    @Test func whoIsOverALimitIsExchangedWithFigures() {
        var rule = RecyclingRule()
        let limits = Self.limits(memory: 800 << 20, own: 500 << 20, descriptors: 1000)
        let now = Self.at(3600)
        func decide(_ subject: RecyclingRule.Subject) -> String? {
            guard case .exchange(_, let cause)? = rule.decide([subject], limits, now: now) else {
                return nil
            }
            return "\(cause)"
        }
        #expect(decide(Self.subject(1, resident: 800 << 20)) == nil)
        #expect(
            decide(Self.subject(1, resident: 812 << 20))
                == "812 MiB resident, recycle.memory allows 800 MiB")
        #expect(
            decide(Self.subject(1, own: 600 << 20))
                == "600 MiB of its own, recycle.private-memory allows 500 MiB")
        #expect(
            decide(Self.subject(1, descriptors: 1001))
                == "1001 open descriptors, recycle.descriptors allows 1000")
        #expect(
            decide(Self.subject(1, unhealthy: "x"))
                == "extension x reports itself as unhealthy")
    }

    @Test func thoseOfOneAgeAreNotDueAtOneTime() {
        let limits = Self.limits(after: 21600)
        let subjects = (1...32).map { Self.subject($0) }
        var rule = RecyclingRule()
        #expect(rule.decide(subjects, limits, now: Self.at(21600 * 0.9 - 1)) == nil)
        // Each look finds one; how many are due grows over a tenth of the time.
        let due = { (now: Double) in
            subjects.count {
                var rule = RecyclingRule()
                return rule.decide([$0], limits, now: Self.at(now)) != nil
            }
        }
        #expect((4...28).contains(due(21600 * 0.95)))
        #expect(due(21600) == 32)
        guard
            case .exchange(1, .age(seconds: 21600, limit: 21600))? =
                rule.decide(subjects, limits, now: Self.at(21600))
        else {
            Issue.record("one is exchanged")
            return
        }
    }

    @Test func aYoungProcessOverALimitIsExchangedOnceAndThenWithGrowingPauses() {
        var rule = RecyclingRule()
        let limits = Self.limits(memory: 100)
        var exchanges: [Double] = []
        var holds: [Double] = []
        var (id, started): (UInt64, Double) = (1, 0)
        for look in stride(from: 5.0, through: 2000, by: 5) {
            switch rule.decide(
                [Self.subject(id, started: started, resident: 101)], limits, now: Self.at(look))
            {
            case .exchange:
                exchanges.append(look)
                (id, started) = (id + 1, look)
            case .hold(_, _, let seconds):
                holds.append(look)
                #expect(seconds == 55)
            case nil: break
            }
        }
        #expect(exchanges == [5, 65, 185, 425, 905, 1865])
        #expect(holds == [10])
    }

    @Test func whoHasGrownOverALongTimeEndsThePauses() {
        var rule = RecyclingRule()
        let limits = Self.limits(memory: 100)
        func look(_ id: UInt64, _ started: Double, _ resident: Int64, _ now: Double) -> Bool {
            let subject = Self.subject(id, started: started, resident: resident)
            if case .exchange? = rule.decide([subject], limits, now: Self.at(now)) { return true }
            return false
        }
        #expect(look(1, 0, 101, 5))
        #expect(!look(2, 5, 101, 10))
        #expect(look(2, 5, 101, 65))
        #expect(!look(3, 65, 50, 70))
        #expect(look(3, 65, 101, 130))
        #expect(!look(4, 130, 101, 135))
        #expect(look(4, 130, 101, 190))
        #expect(look(5, 190, 50, 200) == false)
    }

    @Test func aTimeOfDayConcernsTheProcessesOfBefore() {
        var rule = RecyclingRule()
        let limits = Self.limits(at: [180])
        rule.look(at: LocalTime(day: 1, minute: 179), limits, now: Self.at(100))
        #expect(rule.decide([Self.subject(1)], limits, now: Self.at(100)) == nil)
        rule.look(at: LocalTime(day: 1, minute: 180), limits, now: Self.at(160))
        let both = [Self.subject(1), Self.subject(2)]
        #expect(
            rule.decide(both, limits, now: Self.at(160)) == .exchange(1, .schedule(minute: 180)))
        #expect(
            rule.decide(
                [Self.subject(2), Self.subject(3, started: 161)], limits, now: Self.at(165))
                == .exchange(2, .schedule(minute: 180)))
        #expect(
            rule.decide(
                [Self.subject(4, started: 166), Self.subject(3, started: 161)], limits,
                now: Self.at(170)) == nil)
        #expect("\(RecyclingCause.schedule(minute: 185))" == "recycle.at names 03:05")
    }

    @Test func whoIsAskedForGoesOnceHoweverYoung() {
        var rule = RecyclingRule()
        rule.ask(now: Self.at(10))
        #expect(
            rule.decide([Self.subject(1, started: 9)], Self.limits(), now: Self.at(10))
                == .exchange(1, .asked))
        #expect(rule.decide([Self.subject(2, started: 11)], Self.limits(), now: Self.at(15)) == nil)
    }

    @Test(
        arguments: [
            (512 << 10, "512 KiB"), (1 << 20, "1 MiB"), ((64 << 20) + (1 << 19), "64.5 MiB"),
            (800 << 20, "800 MiB"), (2 << 30, "2048 MiB"),
        ] as [(Int64, String)])
    func sizesAreShownAsPeopleReadThem(bytes: Int64, text: String) {
        #expect(RecyclingCause.size(bytes) == text)
    }
}
