// The nearest time is always known, and each key has one.
// SPDX-License-Identifier: Apache-2.0

import Platform
import Testing
import TestSupport

@testable import Supervision

struct DueTimesTests {
    @Test func eachKeyIsDueOnceInTheOrderOfTime() {
        var times = DueTimes<String>()
        times["late"] = Instant(nanoseconds: 30)
        times["early"] = Instant(nanoseconds: 10)
        times["moved"] = Instant(nanoseconds: 5)
        times["moved"] = Instant(nanoseconds: 20)
        times["gone"] = Instant(nanoseconds: 1)
        times["gone"] = .never
        #expect(times.next == Instant(nanoseconds: 10))
        #expect(times.popDue(Instant(nanoseconds: 9)) == nil)
        var order: [String] = []
        while let (key, _) = times.popDue(Instant(nanoseconds: 30)) { order.append(key) }
        #expect(order == ["early", "moved", "late"])
        #expect(times.next == .never)
    }

    @Test(arguments: 0..<10)
    func isEqualToASortedList(_ seed: UInt64) {
        var random = SeededNumbers(seed: seed)
        var times = DueTimes<Int>()
        var plain: [Int: Instant] = [:]
        for round in 0..<5000 {
            let key = Int.random(in: 0..<100, using: &random)
            let time = Instant(nanoseconds: Int64.random(in: 0..<1000, using: &random))
            switch round % 5 {
            case 0: (times[key], plain[key]) = (.never, nil)
            case 1:
                let first = times.popDue(time)
                let least = plain.values.min().flatMap { $0 <= time ? $0 : nil }
                #expect(first?.time == least)
                if let first {
                    #expect(plain[first.key] == least)
                    plain[first.key] = nil
                }
            default: (times[key], plain[key]) = (time, time)
            }
            #expect(times[key] == plain[key] ?? .never)
            #expect(times.next == plain.values.min() ?? .never)
        }
    }
}

struct StartQueueTests {
    @Test func workersOfAllPoolsWaitTheirTurnInTheOrderTheyCame() {
        var queue = StartQueue(perSecond: 50, burst: 2)
        let start = Instant(nanoseconds: 0)
        #expect((1...4).map { queue.admits($0, now: start) } == [true, true, false, false])
        #expect(queue.next(now: start) == nil)
        let due = queue.deadline(now: start)
        #expect(queue.next(now: due) == 3)
        // Nobody overtakes one that waits.
        let later = due.adding(seconds: 1)
        #expect(queue.admits(5, now: later) == false)
        #expect(queue.cancel { $0 == 4 } == [4])
        #expect(queue.next(now: later) == 5)
        #expect(queue.next(now: later) == nil)
        #expect(queue.deadline(now: later) == .never)
    }
}

struct StartRateTests {
    @Test func afterItsBurstItGivesSoManyASecondHoweverOftenItIsAsked() {
        var rate = StartRate(perSecond: 50, burst: 50)
        var now = Instant(nanoseconds: 0)
        var starts = 0
        while now < Instant(nanoseconds: 10_000_000_000) {
            if rate.take(now: now) { starts += 1 }
            now = now.adding(seconds: 0.001)
        }
        #expect((549...551).contains(starts))
        while rate.take(now: now) {}
        let next = rate.next(now: now)
        #expect(next > now)
        #expect(rate.take(now: now) == false)
        #expect(rate.take(now: next) == true)
    }
}
