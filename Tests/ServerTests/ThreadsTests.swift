// What threads share: turns, the run queue, timers, growth.
// SPDX-License-Identifier: Apache-2.0

import Platform
import Synchronization
import Testing

@testable import Server

@Suite struct SchedulableTests {
    @Test func whatIsIdleIsRunByWhoArrives() {
        let item = Schedulable(number: 0)
        #expect(item.arrive(.socket))
        #expect(!item.arrive(.socket) && item.isWoken)
        #expect(item.rest() == .socket)
        #expect(item.rest() == nil)
    }

    @Test func causesGatherUntilARunTakesThem() {
        let item = Schedulable(number: 0)
        #expect(item.wake(.resumed))
        #expect(!item.wake(.expired) && !item.arrive(.socket))
        #expect(item.begin() == [.resumed, .expired, .socket])
        #expect(item.rest() == nil)
    }

    @Test func whatIsWokenWhileItRunsRunsAgain() {
        let item = Schedulable(number: 0)
        #expect(item.claimIfIdle())
        #expect(!item.wake(.sent) && !item.wake(.resumed))
        #expect(item.rest() == [.sent, .resumed])
        #expect(item.rest() == nil)
    }

    @Test func givingTheTurnToAQueueKeepsWhatHasCome() {
        let item = Schedulable(number: 0)
        #expect(item.arrive(.socket))
        #expect(!item.wake(.sent))
        item.yield(.budget)
        #expect(!item.wake(.expired) && !item.claimIfIdle())
        #expect(item.begin() == [.sent, .budget, .expired])
    }

    /// Every wake-up is followed by a run that began after it.
    @Test func noWakeUpIsLostBetweenManyThreads() throws {
        let item = Schedulable(number: 0)
        let queue = RunQueue()
        let wakes = Counter(0)
        var seen = 0
        let left = Counter(4)
        for _ in 0..<4 {
            try Thread.start(named: "waker") {
                for _ in 0..<5000 {
                    wakes.countUp()
                    if item.wake(.resumed) { queue.append(item, waitsForHandler: false) }
                }
                left.countDown()
            }
        }
        while !left.isZero || !queue.isEmpty {
            guard let next = queue.popFirst(startsHandlers: true) else { continue }
            next._withUnsafeGuaranteedRef { item in
                var causes: Schedulable.Causes? = item.begin()
                while causes != nil {
                    seen = wakes.current
                    causes = item.rest()
                }
            }
        }
        #expect(seen == 20_000)
    }
}

@Suite struct RunQueueTests {
    private func queued(_ number: Int) -> Schedulable {
        let item = Schedulable(number: number)
        _ = item.wake(.resumed)
        return item
    }

    private func next(_ queue: RunQueue, startsHandlers: Bool = true) -> Int? {
        queue.popFirst(startsHandlers: startsHandlers)?.takeUnretainedValue().number
    }

    @Test func firstInFirstOutAcrossBothRows() {
        let queue = RunQueue()
        let items = (0..<4).map(queued)
        for (index, item) in items.enumerated() {
            queue.append(item, waitsForHandler: index == 3)
        }
        #expect([next(queue), next(queue), next(queue), next(queue)] == [0, 1, 2, 3])
        #expect(next(queue) == nil && queue.isEmpty && queue.oldest == nil)
        withExtendedLifetime(items) {}
    }

    @Test func theReserveNeverTakesWhatStartsAHandler() {
        let queue = RunQueue()
        let items = (0..<2).map(queued)
        queue.append(items[0], waitsForHandler: true)
        queue.append(items[1], waitsForHandler: false)
        #expect(next(queue, startsHandlers: false) == 1)
        #expect(next(queue, startsHandlers: false) == nil && !queue.isEmpty)
        #expect(queue.oldest != nil)
        #expect(next(queue) == 0)
        withExtendedLifetime(items) {}
    }
}

@Suite struct TimerWheelTests {
    private final class Clockwork {
        var wheel: TimerWheel
        let timers: [Schedulable]
        private(set) var fired: [Int32] = []

        init(_ count: Int) {
            wheel = TimerWheel(capacity: count, now: Instant(nanoseconds: 1_000_000_000))
            timers = (0..<count).map { Schedulable(number: $0) }
        }

        func set(_ number: Int, _ seconds: Double) {
            timers[number].deadline.store(
                Instant(nanoseconds: 1_000_000_000).adding(seconds: seconds).nanoseconds,
                ordering: .sequentiallyConsistent)
        }

        func turn(to seconds: Double, posted: [Int32] = []) -> [Int32] {
            fired = []
            wheel.turn(
                to: Instant(nanoseconds: 1_000_000_000).adding(seconds: seconds), posted: posted,
                timer: { .passUnretained(timers[Int($0)]) }, expired: { fired.append($0) })
            return fired
        }
    }

    @Test func aDeadlineFiresWhenItHasPassedAndNotBefore() {
        let clock = Clockwork(2)
        clock.set(0, 2)
        clock.set(1, 40)
        #expect(clock.turn(to: 0.1, posted: [0, 1]) == [])
        #expect(clock.turn(to: 1.9) == [])
        #expect(clock.turn(to: 2.1) == [0])
        var step = 2.1
        while step < 39 {
            step += 1
            #expect(clock.turn(to: step) == [])
        }
        #expect(clock.turn(to: 40.1) == [1])
    }

    @Test func aLaterDeadlineIsOnlyStoredAndFoundInItsTime() {
        let clock = Clockwork(1)
        clock.set(0, 2)
        #expect(clock.turn(to: 0.1, posted: [0]) == [])
        clock.set(0, 5)
        #expect(clock.turn(to: 3) == [])
        #expect(clock.turn(to: 5.1) == [0])
        #expect(clock.turn(to: 30) == [])
    }

    @Test func anEarlierDeadlineIsPostedAndFiledAnew() {
        let clock = Clockwork(3)
        for number in 0..<3 { clock.set(number, 10) }
        #expect(clock.turn(to: 0.1, posted: [0, 1, 2]) == [])
        clock.set(1, 1)
        #expect(clock.turn(to: 0.2, posted: [1, 1]) == [])
        #expect(clock.turn(to: 1.1) == [1])
        #expect(clock.turn(to: 10.1).sorted() == [0, 2])
    }

    @Test func whoHasNoDeadlineAnyMoreLeavesTheWheelAndMayComeBack() {
        let clock = Clockwork(1)
        clock.set(0, 1)
        #expect(clock.turn(to: 0.1, posted: [0]) == [])
        clock.timers[0].deadline.store(.max, ordering: .sequentiallyConsistent)
        #expect(clock.turn(to: 2) == [])
        #expect(clock.timers[0].filed.load(ordering: .sequentiallyConsistent) == .max)
        clock.set(0, 3)
        #expect(clock.turn(to: 2.1, posted: [0]) == [])
        #expect(clock.turn(to: 3.1) == [0])
    }

    @Test func aMachineThatWasSuspendedFiresEverythingOnce() {
        let clock = Clockwork(5)
        for number in 0..<5 { clock.set(number, Double(number) + 1) }
        #expect(clock.turn(to: 0.1, posted: [0, 1, 2, 3, 4]) == [])
        #expect(clock.turn(to: 10_000).sorted() == [0, 1, 2, 3, 4])
        #expect(clock.turn(to: 10_001) == [])
    }
}

@Suite struct GrowthRuleTests {
    @Test func aProcessorsNumberAtOnceAndThenOneAtATime() {
        var rule = GrowthRule(processors: 4)
        let growth = [0.02, 0.03, 0.04, 0.0, 0.02].map { rule.growth(waited: $0, room: 100) }
        #expect(growth == [4, 1, 1, 0, 4])
    }

    @Test func neverMoreThanThereIsRoomFor() {
        var rule = GrowthRule(processors: 4)
        let growth = [3, 0].map { rule.growth(waited: 1, room: $0) }
        #expect(growth == [3, 0])
    }

    @Test func workThatHardlyWaitsIsWorthNoThread() {
        var rule = GrowthRule(processors: 4)
        let growth = rule.growth(waited: GrowthRule.patience, room: 100)
        #expect(growth == 0)
    }
}
