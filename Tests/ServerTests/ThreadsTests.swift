// What threads share: turns, the run queue, timers, growth.
// SPDX-License-Identifier: Apache-2.0

import Glibc
import Platform
import Synchronization
import Testing

@testable import Server

@Suite struct SchedulableTests {
    @Test func whatIsIdleIsRunByWhoArrives() {
        let item = Schedulable()
        #expect(item.arrive(.socket))
        #expect(!item.arrive(.socket) && item.isWoken)
        #expect(item.endTurn() == .socket)
        #expect(item.endTurn() == nil)
    }

    @Test func causesGatherUntilARunTakesThem() {
        let item = Schedulable()
        #expect(item.wake(.resumed))
        #expect(!item.wake(.expired) && !item.arrive(.socket))
        #expect(item.beginTurn() == [.resumed, .expired, .socket])
        #expect(item.endTurn() == nil)
    }

    @Test func whatIsWokenWhileItRunsRunsAgain() {
        let item = Schedulable()
        #expect(item.claimIfIdle())
        #expect(!item.wake(.sent) && !item.wake(.resumed))
        #expect(item.endTurn() == [.sent, .resumed])
        #expect(item.endTurn() == nil)
    }

    @Test func givingTheTurnToAQueueKeepsWhatHasCome() {
        let item = Schedulable()
        #expect(item.arrive(.socket))
        #expect(!item.wake(.sent))
        item.yield(.budget)
        #expect(!item.wake(.expired) && !item.claimIfIdle())
        #expect(item.beginTurn() == [.sent, .budget, .expired])
    }

    #if DEBUG
        @Test func anotherThreadsTurnCannotBeGivenBack() async {
            await #expect(processExitsWith: .failure) {
                let item = Schedulable()
                let left = Counter(1)
                _ = item.arrive(.socket)
                try Thread.start(named: "another") {
                    _ = item.endTurn()
                    left.countDown()
                }
                while !left.isZero { Thread.yield() }
            }
        }
    #endif

    /// Every wake-up is followed by a run that began after it.
    @Test func noWakeUpIsLostBetweenManyThreads() throws {
        let item = Schedulable()
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
                var causes: Schedulable.Causes? = item.beginTurn()
                while causes != nil {
                    seen = wakes.current
                    causes = item.endTurn()
                }
            }
        }
        #expect(seen == 20_000)
    }
}

@Suite struct RunQueueTests {
    private func queued() -> Schedulable {
        let item = Schedulable()
        _ = item.wake(.resumed)
        return item
    }

    private func next(
        _ queue: RunQueue, of items: [Schedulable], startsHandlers: Bool = true
    ) -> Int? {
        let item = queue.popFirst(startsHandlers: startsHandlers)?.takeUnretainedValue()
        return items.firstIndex { $0 === item }
    }

    @Test func firstInFirstOutAcrossBothRows() {
        let queue = RunQueue()
        let items = (0..<4).map { _ in queued() }
        for (index, item) in items.enumerated() {
            queue.append(item, waitsForHandler: index == 3)
        }
        let order = items.map { _ in next(queue, of: items) }
        #expect(order == [0, 1, 2, 3])
        #expect(next(queue, of: items) == nil && queue.isEmpty && queue.oldest == nil)
        withExtendedLifetime(items) {}
    }

    @Test func theReserveNeverTakesWhatStartsAHandler() {
        let queue = RunQueue()
        let items = (0..<2).map { _ in queued() }
        queue.append(items[0], waitsForHandler: true)
        queue.append(items[1], waitsForHandler: false)
        #expect(next(queue, of: items, startsHandlers: false) == 1)
        #expect(next(queue, of: items, startsHandlers: false) == nil && !queue.isEmpty)
        #expect(queue.oldest != nil)
        #expect(next(queue, of: items) == 0)
        withExtendedLifetime(items) {}
    }
}

@Suite struct TimerWheelTests {
    private final class Clockwork {
        private var wheel = TimerWheel(now: Clockwork.start)
        private let posted = PostedTimers()
        let timers: [Schedulable]

        private static let start = Instant(nanoseconds: 1_000_000_000)

        init(_ count: Int) { timers = (0..<count).map { _ in Schedulable() } }

        func set(_ number: Int, _ seconds: Double) {
            posted.arm(timers[number], at: Self.start.adding(seconds: seconds))
        }

        func turn(to seconds: Double) -> [Int] {
            var fired: [Int] = []
            wheel.turn(to: Self.start.adding(seconds: seconds), posted: posted.take()) { timer in
                let timer = timer.takeUnretainedValue()
                fired.append(timers.firstIndex { $0 === timer }!)
            }
            return fired
        }
    }

    @Test func aDeadlineFiresWhenItHasPassedAndNotBefore() {
        let clock = Clockwork(2)
        clock.set(0, 2)
        clock.set(1, 40)
        #expect(clock.turn(to: 0.1) == [])
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
        #expect(clock.turn(to: 0.1) == [])
        clock.set(0, 5)
        #expect(clock.turn(to: 3) == [])
        #expect(clock.turn(to: 5.1) == [0])
        #expect(clock.turn(to: 30) == [])
    }

    @Test func anEarlierDeadlineIsPostedAndFiledAnew() {
        let clock = Clockwork(3)
        for number in 0..<3 { clock.set(number, 10) }
        #expect(clock.turn(to: 0.1) == [])
        clock.set(1, 1)
        #expect(clock.turn(to: 0.2) == [])
        #expect(clock.turn(to: 1.1) == [1])
        #expect(clock.turn(to: 10.1).sorted() == [0, 2])
    }

    @Test func whoHasNoDeadlineAnyMoreLeavesTheWheelAndMayComeBack() {
        let clock = Clockwork(1)
        clock.set(0, 1)
        #expect(clock.turn(to: 0.1) == [])
        clock.timers[0].deadline.store(.max, ordering: .sequentiallyConsistent)
        #expect(clock.turn(to: 2) == [])
        #expect(clock.timers[0].filed.load(ordering: .sequentiallyConsistent) == .max)
        clock.set(0, 3)
        #expect(clock.turn(to: 2.1) == [])
        #expect(clock.turn(to: 3.1) == [0])
    }

    /// A bucket is a chain, and one leaves it from every place.
    @Test func whoeverHasTheSameMomentMayLeaveItsBucketFirstOrLast() {
        for leaver in 0..<4 {
            let clock = Clockwork(4)
            for number in 0..<4 { clock.set(number, 10) }
            #expect(clock.turn(to: 0.1) == [])
            clock.set(leaver, 1)
            #expect(clock.turn(to: 1.1) == [leaver])
            #expect(clock.turn(to: 10.1).sorted() == (0..<4).filter { $0 != leaver })
        }
    }

    private final class Shared: Sendable { let posted = PostedTimers() }

    /// What one thread sets while the clock files and inspects is seen by one of the two.
    @Test func noDeadlineIsLostBetweenManyThreadsAndTheClock() throws {
        let timers = (0..<4).map { _ in Schedulable() }
        let shared = Shared()
        var now = Instant(nanoseconds: 1_000_000_000)
        let early = now
        let late = now.adding(seconds: 0.05)
        let fired = timers.map { _ in Counter(0) }
        let left = Counter(4)
        for (timer, fired) in zip(timers, fired) {
            try Thread.start(named: "setter") {
                for _ in 0..<1000 {
                    let before = fired.current
                    shared.posted.arm(timer, at: late)
                    shared.posted.arm(timer, at: early)
                    while fired.current == before { Thread.yield() }
                }
                left.countDown()
            }
        }
        var wheel = TimerWheel(now: now)
        while !left.isZero {
            now = now.adding(seconds: 0.016)
            wheel.turn(to: now, posted: shared.posted.take()) { timer in
                let timer = timer.takeUnretainedValue()
                fired[timers.firstIndex { $0 === timer }!].countUp()
            }
        }
    }

    @Test func aMachineThatWasSuspendedFiresEverythingOnce() {
        let clock = Clockwork(5)
        for number in 0..<5 { clock.set(number, Double(number) + 1) }
        #expect(clock.turn(to: 0.1) == [])
        #expect(clock.turn(to: 10_000).sorted() == [0, 1, 2, 3, 4])
        #expect(clock.turn(to: 10_001) == [])
    }
}

@Suite struct GrowthRuleTests {
    @Test func aProcessorsNumberAtOnceAndThenOneAtATime() {
        var rule = GrowthRule(processors: 4)
        let growth = [0.02, 0.03, 0.04, 0.0, 0.02].map {
            rule.growth(waited: $0, used: 0, room: 100)
        }
        #expect(growth == [4, 1, 1, nil, 4])
    }

    @Test func neverMoreThanThereIsRoomFor() {
        var rule = GrowthRule(processors: 4)
        let growth = [3, 0].map { rule.growth(waited: 1, used: 0, room: $0) }
        #expect(growth == [3, 0])
    }

    /// Threads that compute without end or wait in a call are not among those whose use counts.
    @Test(arguments: [
        (8, 1, 7.6, nil), (8, 1, 7.1, 8), (1, 1, 0.9, nil), (1, 1, 0.7, 1), (2, 3, 0.6, nil),
    ])
    func noThreadIsAddedWhileThoseThatGetOnHaveTheProcessors(
        processors: Int, shards: Int, used: Double, expected: Int?
    ) {
        var rule = GrowthRule(processors: processors, shards: shards)
        let growth = rule.growth(waited: 1, used: used, room: 100)
        #expect(growth == expected)
    }

    @Test func workThatHardlyWaitsIsWorthNoThread() {
        var rule = GrowthRule(processors: 4)
        let growth = rule.growth(waited: GrowthRule.patience, used: 0, room: 100)
        #expect(growth == nil)
    }
}

@Suite struct BatchRuleTests {
    private static let start = Instant(nanoseconds: 1_000_000_000)

    /// A batch that took so many seconds.
    private static func run(_ rule: inout BatchRule, seconds: Double) {
        rule.took(2, now: start)
        rule.finished(now: start.adding(seconds: seconds))
    }

    /// How many events it takes one by one until it takes several again.
    private static func singles(_ rule: inout BatchRule) -> Int {
        var count = 0
        while rule.most(othersSleep: false) == 1 {
            rule.took(1, now: start)
            rule.finished(now: start)
            count += 1
        }
        return count
    }

    @Test func severalAtOnceUnlessSomebodyElseCouldBeginTheSecond() {
        let rule = BatchRule()
        #expect(rule.most(othersSleep: false) == EventBatch.capacity)
        #expect(rule.most(othersSleep: true) == 1)
    }

    @Test func whatKeptEachOtherWaitingIsTakenOneByOneAndLongerEachTime() {
        var rule = BatchRule()
        Self.run(&rule, seconds: 0.000_1)
        #expect(Self.singles(&rule) == 0)
        let found = (0..<8).map { _ in
            Self.run(&rule, seconds: 0.002)
            return Self.singles(&rule)
        }
        #expect(found == [64, 128, 256, 512, 1024, 2048, 4096, 4096])
        Self.run(&rule, seconds: 0.000_1)
        Self.run(&rule, seconds: 0.002)
        #expect(Self.singles(&rule) == 64)
    }

    @Test func whoMayBeBlockedTakesOneByOne() {
        var rule = BatchRule()
        rule.mayBlock()
        #expect(Self.singles(&rule) == 64)
    }

    /// A thread about to sleep is not the one who could begin the second event.
    @Test func aThreadDoesNotCountItselfAmongThoseWhoSleep() throws {
        let host = try RunningServer().server
        let shard = try Shard(host: host, capacity: 1, threads: .init(min: 1, max: 1))
        #expect(shard.beginSleep(startsHandlers: true) == 0)
        #expect(shard.beginSleep(startsHandlers: true) == 1)
    }

    /// Nobody waits behind a call that waits for another process.
    @Test func whatAThreadHasTakenIsOthersBeforeItMayBeBlocked() throws {
        let host = try RunningServer().server
        let shard = try Shard(host: host, capacity: 3, threads: .init(min: 1, max: 1))
        for _ in 0..<3 {
            let (near, far) = try Socket.pair()
            #expect(write(far, "G", 1) == 1)
            shard.adopt(near, into: try #require(shard.connections.take(for: shard)))
        }
        let thread = ShardThread(shard: shard, kind: .permanent)
        let hasEvents = thread.batch.fill(from: shard.poller, most: 3, milliseconds: -1)
        let first = thread.batch.next()
        #expect(hasEvents && first != nil)
        thread.mayBlock()
        #expect(thread.batch.next() == nil)
        #expect(shard.queue.popFirst(startsHandlers: true) != nil)
    }
}
