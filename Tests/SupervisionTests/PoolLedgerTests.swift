// A pool's decisions, without a process or a clock.
// SPDX-License-Identifier: Apache-2.0

import Control
import Platform
import Testing

@testable import Supervision

struct PoolLedgerTests {
    @Test func minimumIsStartedAtOnceAndGivenToTheHostThatServes() {
        var pool = Pool(minimum: 2, maximum: 4)
        #expect(pool(.tick) == [.spawn, .spawn])
        pool.answer(1)
        pool.answer(2)
        pool.accept(1, 2)
        #expect(
            pool(.hostServes(10)) == [
                .grant(1, to: 10, isAsked: false), .grant(2, to: 10, isAsked: false),
            ])
    }

    @Test func workerIsGivenOnlyAfterItHasAcceptedItsConnection() {
        var pool = Pool(minimum: 1, maximum: 1)
        _ = pool(.hostServes(10))
        pool.answer(1)
        pool.advance(0.01)
        #expect(pool(.tick) == [.check(1)])
        #expect(pool(.accepted(1)) == [.grant(1, to: 10, isAsked: false)])
    }

    @Test func neverMoreThanTheMaximumWhoeverAsks() {
        var pool = Pool(minimum: 0, maximum: 2)
        _ = pool(.hostServes(10))
        for _ in 0..<50 { _ = pool(.wanted(by: 10)) }
        for _ in 0..<50 { _ = pool(.wanted(by: 11)) }
        #expect(pool.spawned == 2)
        pool.answer(1)
        pool.answer(2)
        pool.accept(1, 2)
        // A worker told to leave still counts until it is gone.
        #expect(pool(.released(1, by: 10, .served)) == [.terminate(1)])
        #expect(pool.spawned == 2)
        _ = pool(.ended(1, .exited(code: 0)))
        #expect(pool.spawned == 3)
    }

    @Test func olderProcessesOfTheSameNameCountButOneMayAlwaysStart() {
        var pool = Pool(minimum: 3, maximum: 4)
        pool.ledger.elsewhere = 4
        #expect(pool(.tick) == [.spawn])
        pool.ledger.elsewhere = 2
        pool.answer(1)
        #expect(pool.spawned == 2)
    }

    @Test func hostThatLeavesGetsAWorkerBackForTheRequestsItHas() {
        var pool = Pool(minimum: 2, maximum: 2)
        pool.serve(host: 10, workers: 1, 2)
        _ = pool(.hostServes(20))
        for id: UInt64 in [1, 2] {
            _ = pool(.released(id, by: 10, .idle))
            #expect(pool(.accepted(id)) == [.grant(id, to: 20, isAsked: false)])
        }
        #expect(pool(.wanted(by: 10)) == [.reclaim(from: 20)])
        // Asked once, however often one looks.
        #expect(pool(.tick) == [])
        #expect(pool(.released(2, by: 20, .idle)) == [.reconnect(2)])
        #expect(pool(.wanted(by: 20)) == [])
        #expect(pool(.accepted(2)) == [.grant(2, to: 10, isAsked: true)])
        _ = pool(.released(2, by: 10, .idle))
        #expect(pool(.accepted(2)) == [.grant(2, to: 20, isAsked: true)])
    }

    @Test func idleWorkerOfALeavingHostGoesToTheNewOne() {
        var pool = Pool(minimum: 1, maximum: 1)
        pool.serve(host: 10, workers: 1)
        _ = pool(.hostServes(20))
        #expect(pool(.released(1, by: 10, .idle)) == [.reconnect(1)])
        #expect(pool(.accepted(1)) == [.grant(1, to: 20, isAsked: false)])
        // The old host's word no longer counts for it.
        #expect(pool(.released(1, by: 10, .broken)) == [])
    }

    /// Its socket is gone, say: we kill it, and the log does not look for somebody else.
    @Test func workerThatCannotBeReachedAnyMoreIsKilledWithALineThatSaysSo() {
        var pool = Pool(minimum: 1, maximum: 1)
        pool.serve(host: 10, workers: 1)
        _ = pool(.hostServes(20))
        #expect(pool(.released(1, by: 10, .idle)) == [.reconnect(1)])
        #expect(
            pool(.unreachable(1, reason: "no socket")) == [
                .kill(1),
                .log("a worker cannot be reached any more (no socket); it is killed and replaced"),
            ])
        #expect(pool(.ended(1, .killed(signal: 9))) == [.spawn])
    }

    /// It is as good as it was: however long the supervisor is short of descriptors, it is not killed.
    @Test func workerForWhomNoConnectionCanBeMadeForNowIsTriedAgain() {
        var pool = Pool(minimum: 1, maximum: 1)
        pool.serve(host: 10, workers: 1)
        _ = pool(.hostServes(20))
        #expect(pool(.released(1, by: 10, .idle)) == [.reconnect(1)])
        #expect(pool(.connectionsAreShort(1)) == [])
        for _ in 0..<100 {
            pool.advance(0.05)
            #expect(pool(.tick) == [.check(1)])
            #expect(pool(.connectionsAreShort(1)) == [])
        }
        pool.advance(0.05)
        #expect(pool(.tick) == [.check(1)])
        #expect(pool(.accepted(1)) == [.grant(1, to: 20, isAsked: false)])
    }

    @Test func workerThatItsHostDidNotUseGoesToTheNextOneAsItIs() {
        var pool = Pool(minimum: 1, maximum: 1)
        pool.serve(host: 10, workers: 1)
        _ = pool(.hostServes(20))
        #expect(pool(.released(1, by: 10, .untouched)) == [.grant(1, to: 20, isAsked: false)])
        _ = pool(.retired)
        #expect(pool(.released(1, by: 20, .untouched)) == [.terminate(1)])
    }

    @Test func workerOfADeadHostIsKeptWhenItIsIdleAndReplacedWhenItIsBusy() {
        var pool = Pool(minimum: 2, maximum: 2)
        pool.serve(host: 10, workers: 1, 2)
        #expect(pool(.hostGone(10)) == [.reconnect(1), .reconnect(2)])
        #expect(pool(.accepted(1)) == [])
        pool.advance(1.1)
        let late = pool(.tick)
        #expect(late.first == .kill(2))
        #expect(pool(.hostServes(20)) == [.grant(1, to: 20, isAsked: false)])
        #expect(pool(.ended(2, .killed(signal: 9))) == [.spawn])
    }

    @Test func terminatedWorkerThatStaysIsKilled() {
        var pool = Pool(minimum: 0, maximum: 1)
        _ = pool(.wanted(by: 10))
        pool.answer(1)
        pool.accept(1)
        #expect(pool(.released(1, by: 10, .surplus)) == [.terminate(1)])
        #expect(pool.ledger.deadline(now: pool.now) == pool.now.adding(seconds: 5))
        pool.advance(5)
        #expect(pool(.tick) == [.kill(1)])
    }

    @Test func brokenWorkerIsKilledAndReplaced() {
        var pool = Pool(minimum: 1, maximum: 1)
        pool.serve(host: 10, workers: 1)
        #expect(pool(.released(1, by: 10, .broken)) == [.kill(1)])
        #expect(pool(.ended(1, .killed(signal: 9))) == [.spawn])
    }

    @Test func hostLearnsOfItsWorkersDeath() {
        var pool = Pool(minimum: 0, maximum: 1)
        pool.serve(host: 10, workers: 1)
        #expect(
            pool(.ended(1, .killed(signal: 11))).first
                == .tellEnded(1, .killed(signal: 11), to: 10))
    }

    @Test func programThatExitsAtOnceIsRefusedAfterThreeTimesAndTriedEverLessOften() {
        var pool = Pool(minimum: 1, maximum: 4)
        _ = pool(.hostServes(10))
        _ = pool(.wanted(by: 10))
        var refused = 0
        for attempt in 1...20 {
            pool.advanceToDeadline()
            _ = pool(.tick)
            #expect(pool.spawned == attempt)
            pool.answer(UInt64(attempt))
            refused += pool(.ended(UInt64(attempt), .exited(code: 1))).count {
                if case .deny(10, _, _, _) = $0 { true } else { false }
            }
            if attempt == 2 { #expect(refused == 0) }
            if attempt == 3 { #expect(refused == 1) }
        }
        // 30 seconds at most between attempts, and an answer at once for everybody who asks.
        #expect(pool.ledger.deadline(now: pool.now) <= pool.now.adding(seconds: 30))
        guard case .deny(10, 1, let reason, let seconds) = pool(.wanted(by: 10)).first else {
            Issue.record("not refused")
            return
        }
        #expect(reason.contains("exited with code 1") && (1...30).contains(seconds))
    }

    @Test func programThatFailsTheSameWayAgainAndAgainMakesFewLines() {
        var pool = Pool(minimum: 1, maximum: 4)
        _ = pool(.hostServes(10))
        var lines = 0
        for attempt in 1...20 {
            pool.advanceToDeadline()
            _ = pool(.tick)
            pool.answer(UInt64(attempt))
            pool.advance(0.001 * Double(attempt))
            lines += pool(.ended(UInt64(attempt), .exited(code: 1))).count {
                if case .log = $0 { true } else { false }
            }
        }
        #expect(lines == 2)
    }

    @Test func programThatWasMendedIsTriedAtOnceByTheNextHost() {
        var pool = Pool(minimum: 1, maximum: 4)
        _ = pool(.hostServes(10))
        for attempt in 1...10 {
            pool.advanceToDeadline()
            _ = pool(.tick)
            pool.answer(UInt64(attempt))
            _ = pool(.ended(UInt64(attempt), .exited(code: 1)))
        }
        #expect(pool.ledger.deadline(now: pool.now) > pool.now.adding(seconds: 5))
        #expect(pool(.hostServes(11)) == [.spawn])
    }

    @Test func failureBeforeTheFirstHostServesIsTheFirstInARow() {
        var pool = Pool(minimum: 1, maximum: 1)
        #expect(pool(.tick) == [.spawn])
        _ = pool(.spawnFailed(reason: "is missing"))
        _ = pool(.hostServes(10))
        let again = pool(.spawnFailed(reason: "is missing"))
        #expect(!again.contains { if case .log = $0 { true } else { false } })
    }

    @Test func missingProgramIsRefusedAtOnce() {
        var pool = Pool(minimum: 0, maximum: 4)
        _ = pool(.hostServes(10))
        #expect(pool(.wanted(by: 10)) == [.spawn])
        let actions = pool(.spawnFailed(reason: "could not be started: no such program"))
        #expect(
            actions.contains {
                if case .deny(10, _, _, _) = $0 { true } else { false }
            })
    }

    @Test func killFromOutsideIsNoFaultOfTheProgram() {
        var pool = Pool(minimum: 1, maximum: 1)
        pool.serve(host: 10, workers: 1)
        for id in UInt64(1)..<9 {
            #expect(pool(.ended(id, .killed(signal: 9))).contains(.spawn))
            pool.advance(0.2)
            pool.answer(id + 1)
            pool.accept(id + 1)
        }
    }

    @Test func noMoreThanTenStartsASecond() {
        var pool = Pool(minimum: 1, maximum: 1)
        pool.serve(host: 10, workers: 1)
        for id in UInt64(1)..<1000 {
            _ = pool(.ended(id, .killed(signal: 9)))
            if pool.spawned < Int(id) + 1 { break }
            pool.answer(id + 1)
            pool.accept(id + 1)
            pool.advance(0.001)
        }
        #expect(pool.spawned <= 11)
        #expect(pool.ledger.deadline(now: pool.now) > pool.now)
    }

    @Test func workerThatNeverAcceptsIsKilledAndBlamed() {
        var pool = Pool(minimum: 0, maximum: 1)
        _ = pool(.wanted(by: 10))
        pool.answer(1)
        pool.advance(30)
        let actions = pool(.tick)
        #expect(actions.first == .kill(1))
        #expect(
            actions.contains {
                if case .deny(10, 1, let reason, _) = $0 {
                    reason.contains("did not accept")
                } else {
                    false
                }
            })
    }

    @Test func grantSaysWhetherItAnswersAWantAndARefusalHowMany() {
        var pool = Pool(minimum: 1, maximum: 3)
        _ = pool(.hostServes(10))
        pool.answer(1)
        #expect(pool(.accepted(1)) == [.grant(1, to: 10, isAsked: false)])
        _ = pool(.wanted(by: 10))
        _ = pool(.wanted(by: 10))
        pool.answer(2)
        #expect(pool(.accepted(2)) == [.grant(2, to: 10, isAsked: true)])
        _ = pool(.wanted(by: 10))
        let refused = pool(.spawnFailed(reason: "is missing"))
        #expect(
            refused.contains {
                if case .deny(10, 2, _, _) = $0 { true } else { false }
            })
    }

    @Test func foreignProgramThatEndsByItselfHasASuccessorAtTheSameSocketAtOnce() {
        var pool = Pool(minimum: 1, maximum: 1, isForeign: true)
        pool.serve(host: 10, workers: 1)
        #expect(!pool.ledger.endsByItself)
        for _ in 0..<5 {
            pool.advance(1)
            #expect(
                pool(.ended(1, .exited(code: 0))) == [.restart(1, after: .exited(code: 0))])
        }
        #expect(pool.ledger.endsByItself)
        #expect(pool.ledger.workers[1]?.state == .held(by: 10))
        // The host goes on to use it like before.
        #expect(pool(.released(1, by: 10, .served)) == [.terminate(1)])
    }

    @Test func foreignProgramThatIsKilledHasASuccessorUnlessItsHostLetsGoOfIt() {
        var pool = Pool(minimum: 2, maximum: 2, isForeign: true)
        pool.serve(host: 10, workers: 1, 2)
        #expect(!pool(.ended(1, .killed(signal: 9))).contains(.spawn))
        #expect(!pool(.ended(2, .killed(signal: 9))).contains(.spawn))
        // Worker 1 died of its request, and the host says so: a new one starts in its place.
        #expect(pool(.released(1, by: 10, .broken)) == [.spawn])
        #expect(pool.ledger.workers[1] == nil)
        pool.advanceToDeadline()
        #expect(pool(.tick) == [.restart(2, after: .killed(signal: 9))])
        #expect(!pool.ledger.endsByItself)
    }

    @Test func foreignProgramThatFailsAtOnceOrCannotStartAgainIsLost() {
        var pool = Pool(minimum: 0, maximum: 2, isForeign: true)
        pool.serve(host: 10, workers: 1, 2)
        #expect(
            pool(.ended(1, .exited(code: 1))).first == .tellEnded(1, .exited(code: 1), to: 10))
        pool.advance(5)
        #expect(pool(.ended(2, .exited(code: 0))) == [.restart(2, after: .exited(code: 0))])
        let lost = pool(.restartFailed(2, after: .exited(code: 0), reason: "is missing"))
        #expect(lost.first == .tellEnded(2, .exited(code: 0), to: 10))
        #expect(pool.ledger.workers.isEmpty)
    }

    @Test func programThatEndsAllTheTimeIsStartedAtABoundedRate() {
        var pool = Pool(minimum: 1, maximum: 1, isForeign: true)
        pool.serve(host: 10, workers: 1)
        var restarts = 0
        for _ in 0..<1000 {
            restarts += pool(.ended(1, .exited(code: 0))).count
            pool.advance(0.001)
            restarts += pool(.tick).count
        }
        #expect((10...21).contains(restarts))
    }

    @Test func hostThatDiesWhileItsWorkerIsStartedAgainGetsAnotherOne() {
        var pool = Pool(minimum: 1, maximum: 1, isForeign: true)
        pool.serve(host: 10, workers: 1)
        pool.advance(3)
        _ = pool(.ended(1, .killed(signal: 11)))
        #expect(pool(.hostGone(10)) == [.spawn])
        #expect(pool.ledger.workers.isEmpty)
    }

    @Test func retiredPoolServesWhoStillWaitsAndThenEnds() {
        var pool = Pool(minimum: 2, maximum: 2)
        pool.serve(host: 10, workers: 1, 2)
        #expect(pool(.retired) == [])
        #expect(pool(.wanted(by: 10)) == [])
        #expect(pool(.released(1, by: 10, .served)) == [.terminate(1)])
        #expect(pool(.ended(1, .exited(code: 0))) == [.spawn])
        pool.answer(3)
        #expect(pool(.accepted(3)) == [.grant(3, to: 10, isAsked: true)])
        #expect(pool(.released(2, by: 10, .idle)) == [.terminate(2)])
        #expect(pool(.hostGone(10)) == [.terminate(3)])
        _ = pool(.ended(2, .exited(code: 0)))
        #expect(!pool.ledger.isOver)
        _ = pool(.ended(3, .exited(code: 0)))
        #expect(pool.ledger.isOver)
    }
}

/// A ledger with a clock that the test turns.
private struct Pool {
    var ledger: PoolLedger
    var now = Instant(nanoseconds: 1_000_000_000)
    var spawned = 0

    init(minimum: Int, maximum: Int, isForeign: Bool = false) {
        ledger = PoolLedger(
            PoolLedger.Limits(
                name: "php", minimum: minimum, maximum: maximum, startTimeout: 30,
                isForeign: isForeign))
    }

    mutating func callAsFunction(_ event: PoolLedger.Event) -> [PoolLedger.Action] {
        let actions = ledger.apply(event, now: now)
        spawned += actions.count { $0 == .spawn }
        return actions
    }

    /// The process asked for was started.
    mutating func answer(_ id: UInt64) { _ = self(.spawned(id)) }

    mutating func accept(_ ids: UInt64...) { for id in ids { _ = self(.accepted(id)) } }

    mutating func serve(host: UInt64, workers: UInt64...) {
        _ = self(.hostServes(host))
        for _ in workers { _ = self(.wanted(by: host)) }
        for id in workers {
            answer(id)
            accept(id)
        }
    }

    mutating func advance(_ seconds: Double) { now = now.adding(seconds: seconds) }
    mutating func advanceToDeadline() {
        let deadline = ledger.deadline(now: now)
        if deadline != .never { now = max(now, deadline) }
    }
}
