// Who gets which worker, and who waits, without a worker or a clock.
// SPDX-License-Identifier: Apache-2.0

import Control
import Platform
import Testing

@testable import Handlers

struct WorkerQueueTests {
    @Test func idleWorkersAreTakenLastInFirstOut() {
        var pool = Pool()
        pool.grant(1, 2, 3)
        #expect(pool.acquire("a") == "worker 3")
        #expect(pool.acquire("b") == "worker 2")
        _ = pool.release(3)
        #expect(pool.acquire("c") == "worker 3")
    }

    @Test func waitingRequestsAreServedInOrderAndEachAsksForAWorkerWhileThereAreSome() {
        var pool = Pool(maximum: 2)
        #expect(pool.acquire("a") == "parked, asks")
        #expect(pool.acquire("b") == "parked, asks")
        #expect(pool.acquire("c") == "parked")
        #expect(pool.queue.grant(1, isAsked: true, now: pool.now).next == "a")
        #expect(pool.queue.grant(2, isAsked: true, now: pool.now).next == "b")
        #expect(pool.release(2).next == "c")
        #expect(pool.release(1).next == nil)
        #expect(pool.queue.idleCount == 1 && pool.queue.held == 2)
    }

    @Test func fullQueueIsAnsweredAtOnce() {
        var pool = Pool(maximum: 1, queue: 2)
        pool.grant(1)
        #expect(pool.acquire("a") == "worker 1")
        _ = pool.acquire("b")
        _ = pool.acquire("c")
        #expect(pool.acquire("d") == "full")
    }

    /// A queue of none is one in which nobody waits for a busy worker; one that may still come is no other's.
    @Test func whoWaitsForAWorkerThatMayStillComeTakesNoPlaceInTheQueue() {
        var pool = Pool(maximum: 2, queue: 0)
        #expect(pool.acquire("a") == "parked, asks")
        #expect(pool.acquire("b") == "parked, asks")
        #expect(pool.acquire("c") == "full")
        #expect(pool.queue.grant(1, isAsked: true, now: pool.now).next == "a")
        #expect(pool.queue.grant(2, isAsked: true, now: pool.now).next == "b")
        #expect(pool.acquire("d") == "full")
        _ = pool.release(1)
        #expect(pool.acquire("e") == "worker 1")
    }

    @Test func requestThatWaitedTooLongIsGivenUpOldestFirst() {
        var pool = Pool(maximum: 1)
        _ = pool.acquire("a")
        pool.advance(6)
        _ = pool.acquire("b")
        pool.advance(4)
        #expect(pool.queue.expire(now: pool.now).late == ["a"])
        #expect(pool.queue.parkedCount == 1)
    }

    @Test func refusalEndsTheWaitWhenThereIsNoWorkerAndIsRememberedForItsTime() {
        var pool = Pool()
        _ = pool.acquire("a")
        let refused = pool.queue.deny(count: 1, reason: "missing", retryAfter: 3, now: pool.now)
        #expect(refused.denied == ["a"] && refused.reason == "missing" && refused.retryAfter == 3)
        #expect(pool.acquire("b") == "unavailable 3")
        pool.advance(3)
        #expect(pool.acquire("c") == "parked, asks")
    }

    @Test func refusalDoesNotEndTheWaitForWorkersThatExist() {
        var pool = Pool()
        pool.grant(1)
        _ = pool.acquire("a")
        _ = pool.acquire("b")
        #expect(
            pool.queue.deny(count: 1, reason: "slow", retryAfter: 3, now: pool.now).denied.isEmpty)
        #expect(pool.release(1).next == "b")
        // When the last worker dies in the meantime, the wait is over after all.
        _ = pool.acquire("c")
        _ = pool.release(1, fate: .broken)
        #expect(pool.queue.expire(now: pool.now).denied == ["c"])
    }

    @Test func grantEndsARefusal() {
        var pool = Pool()
        _ = pool.queue.deny(count: 1, reason: "slow", retryAfter: 30, now: pool.now)
        pool.grant(1)
        #expect(pool.acquire("a") == "worker 1")
        #expect(pool.acquire("b") == "parked, asks")
    }

    @Test func wornAndBrokenWorkersLeaveAndWhoWaitsAsksForASuccessor() {
        var pool = Pool(maximum: 1, maxRequests: 100)
        pool.grant(1)
        _ = pool.acquire("a")
        _ = pool.acquire("b")
        let worn = pool.queue.release(1, .reusable, requestsServed: 100, now: pool.now)
        #expect(worn.release == .served && worn.asks == 1 && worn.next == nil)
        #expect(pool.queue.grant(2, isAsked: true, now: pool.now).next == "b")
        #expect(pool.release(2, fate: .broken).release == .broken)
        #expect(pool.queue.held == 0)
    }

    @Test func idleWorkersAboveTheMinimumGrowOldAndLeave() {
        var pool = Pool(minimum: 1)
        pool.grant(1, 2, 3)
        pool.advance(299)
        #expect(pool.acquire("a") == "worker 3")
        _ = pool.release(3)
        pool.advance(2)
        #expect(pool.queue.expire(now: pool.now).surplus == [1, 2])
        pool.advance(1000)
        #expect(pool.queue.expire(now: pool.now).surplus == [])
        #expect(pool.queue.held == 1)
    }

    @Test func workerThatDiesWhileIdleIsForgotten() {
        var pool = Pool()
        pool.grant(1, 2)
        #expect(pool.queue.end { $0 == 2 } == 2)
        #expect(pool.queue.end { $0 == 7 } == nil)
        #expect(pool.acquire("a") == "worker 1")
        #expect(pool.acquire("b") == "parked, asks")
    }

    @Test func leavingHostGivesWorkersBackButServesWhoWaits() {
        var pool = Pool()
        pool.grant(1, 2)
        _ = pool.acquire("a")
        #expect(pool.queue.drain() == [1])
        #expect(pool.acquire("b") == "parked, asks")
        #expect(pool.release(2).next == "b")
        #expect(pool.release(2).release == .idle)
        #expect(pool.queue.grant(3, isAsked: true, now: pool.now).release == .idle)
        #expect(pool.queue.held == 0)
    }

    @Test func workerThatAnotherHostWaitsForIsGivenBackBeforeTheNextRequestGetsIt() {
        var pool = Pool(maximum: 2)
        pool.grant(1, 2)
        #expect(pool.queue.giveBack() == 1)
        #expect(pool.acquire("a") == "worker 2")
        #expect(pool.acquire("b") == "parked, asks")
        #expect(pool.queue.giveBack() == nil)
        let freed = pool.release(2)
        #expect(freed.next == nil && freed.release == .idle && freed.asks == 0)
        #expect(pool.queue.grant(2, isAsked: true, now: pool.now).next == "b")
        #expect(pool.release(2).release == nil && pool.queue.held == 1)
    }

    @Test func workerWhoseRequestWasAbandonedLeavesUntilItIsThroughAndWhoWaitsAsks() {
        var pool = Pool(maximum: 1)
        pool.grant(1)
        _ = pool.acquire("a")
        _ = pool.acquire("b")
        let freed = pool.release(1, fate: .abandoned)
        #expect(freed.release == .idle && freed.next == nil && freed.asks == 1)
        #expect(pool.queue.held == 0)
        #expect(pool.queue.grant(1, isAsked: true, now: pool.now).next == "b")
    }

    @Test func askThatCouldNotBeSentIsNotWantedAndIsMadeAgain() {
        var pool = Pool(maximum: 2)
        #expect(pool.acquire("a") == "parked, asks")
        pool.queue.takeBackAsks(1)
        #expect(pool.queue.wanted == 0)
        #expect(pool.queue.expire(now: pool.now).asks == 1)
        #expect(pool.queue.wanted == 1)
    }

    @Test func workerThatComesUnaskedAnswersNoAsk() {
        var pool = Pool(maximum: 3)
        _ = pool.acquire("a")
        _ = pool.acquire("b")
        #expect(pool.queue.wanted == 2)
        #expect(pool.queue.grant(1, isAsked: false, now: pool.now).next == "a")
        #expect(pool.queue.wanted == 2)
        #expect(pool.queue.grant(2, isAsked: true, now: pool.now).next == "b")
        #expect(pool.queue.grant(3, isAsked: true, now: pool.now).next == nil)
        #expect(pool.queue.wanted == 0)
    }

    /// An ask crosses the refusal of the ones before it: it still stands.
    @Test func refusalAnswersAsManyAsksAsItSays() {
        var pool = Pool()
        pool.grant(1)
        _ = pool.acquire("a")
        _ = pool.acquire("b")
        _ = pool.acquire("c")
        #expect(pool.queue.wanted == 2)
        _ = pool.queue.deny(count: 1, reason: "slow", retryAfter: 1, now: pool.now)
        #expect(pool.queue.wanted == 1)
        pool.advance(2)
        #expect(pool.queue.expire(now: pool.now).asks == 1)
        #expect(pool.queue.wanted == 2)
    }

    @Test func ringKeepsItsOrderWhileItTurnsAndGrows() {
        var ring = Ring<Int>()
        var expected: [Int] = []
        var next = 0
        for round in 0..<200 {
            for _ in 0...(round % 7) {
                ring.append(next)
                expected.append(next)
                next += 1
            }
            for _ in 0..<(round % 5) where !expected.isEmpty {
                #expect(ring.popFirst() == expected.removeFirst())
            }
            #expect(ring.count == expected.count && ring.first == expected.first)
        }
    }
}

extension WorkerQueueTests {
    @Test func anIdleWorkerThatRetiresGoesAtOnceAndABusyOneAfterItsRequest() {
        var pool = Pool(minimum: 2)
        pool.grant(1, 2)
        #expect(pool.queue.retire(1) { $0 == 1 } == 1)
        #expect(pool.acquire("a") == "worker 2")
        #expect(pool.queue.retire(2) { $0 == 2 } == nil)
        // The one that has come for it serves meanwhile.
        pool.grant(3)
        #expect(pool.acquire("b") == "worker 3")
        #expect(pool.queue.takeRetiring(2) && !pool.queue.takeRetiring(3))
        let freed = pool.queue.release(
            2, .reusable, requestsServed: 1, isRetiring: true, now: pool.now)
        #expect(freed.release == .served && freed.asks == 0)
        #expect(pool.queue.held == 1 && pool.queue.retiring.isEmpty)
    }
}

/// A queue of numbered workers and named requests, with a clock that the test turns.
private struct Pool {
    var queue: WorkerQueue<Int, String>
    var now = Instant(nanoseconds: 0)

    init(minimum: Int = 0, maximum: Int = 4, queue: Int = 10, maxRequests: Int = 0) {
        self.queue = WorkerQueue(
            WorkerQueue.Limits(
                minimum: minimum, maximum: maximum, queue: queue, queueTimeout: 10,
                idleTimeout: 300, maxRequests: maxRequests))
    }

    mutating func acquire(_ name: String) -> String {
        switch queue.acquire(for: name, now: now) {
        case .worker(let worker): "worker \(worker)"
        case .parked(let asks): asks ? "parked, asks" : "parked"
        case .full: "full"
        case .unavailable(_, let retryAfter): "unavailable \(retryAfter)"
        }
    }

    mutating func release(
        _ worker: Int, fate: WorkerFate = .reusable
    ) -> WorkerQueue<Int, String>.Freed {
        queue.release(worker, fate, requestsServed: 1, now: now)
    }

    mutating func grant(_ workers: Int...) {
        for worker in workers { _ = queue.grant(worker, isAsked: false, now: now) }
    }

    mutating func advance(_ seconds: Double) { now = now.adding(seconds: seconds) }
}
