// A worker is exchanged, without a process or a clock.
// SPDX-License-Identifier: Apache-2.0

import Control
import Platform
import Testing

@testable import Supervision

struct PoolReplacementTests {
    private var now = Instant(nanoseconds: 1_000_000_000)

    /// A pool with all its workers, held by host 10.
    private func pool(_ workers: UInt64...) -> PoolLedger {
        var ledger = PoolLedger(
            PoolLedger.Limits(
                name: "php", minimum: workers.count, maximum: workers.count, startTimeout: 30))
        _ = ledger.apply(.hostServes(10), now: now)
        for id in workers { _ = ledger.apply(.spawned(id), now: now) }
        for id in workers { _ = ledger.apply(.accepted(id), now: now) }
        return ledger
    }

    @Test func theSuccessorIsReadyBeforeTheOldOneGoesAlsoAtTheMaximum() {
        var pool = pool(1, 2)
        #expect(pool.apply(.outlived(1), now: now) == [.spawn])
        #expect(pool.apply(.spawned(3), now: now) == [])
        #expect(
            pool.apply(.accepted(3), now: now)
                == [.grant(3, to: 10, isAsked: false), .retire(1, from: 10)])
        // It finishes its request first, and is no longer one of the pool's then.
        #expect(pool.apply(.released(1, by: 10, .served), now: now) == [.terminate(1)])
        #expect(pool.apply(.ended(1, .exited(code: 0)), now: now) == [])
        #expect(pool.workers.keys.sorted() == [2, 3] && pool.replacement == nil)
    }

    @Test func oneAtATime() {
        var pool = pool(1, 2)
        #expect(pool.apply(.outlived(1), now: now) == [.spawn])
        #expect(!pool.canReplace(now: now))
        #expect(pool.apply(.outlived(2), now: now) == [])
        _ = pool.apply(.spawned(3), now: now)
        _ = pool.apply(.accepted(3), now: now)
        #expect(pool.apply(.outlived(2), now: now) == [])
        _ = pool.apply(.released(1, by: 10, .served), now: now)
        #expect(!pool.canReplace(now: now))
        _ = pool.apply(.ended(1, .exited(code: 0)), now: now)
        #expect(pool.apply(.outlived(2), now: now) == [.spawn])
    }

    @Test func aSuccessorThatCannotBeStartedLeavesTheOldOneWhereItIs() {
        var pool = pool(1)
        _ = pool.apply(.outlived(1), now: now)
        let actions = pool.apply(.spawnFailed(reason: "could not be started"), now: now)
        #expect(!actions.contains(.retire(1, from: 10)) && !actions.contains(.spawn))
        #expect(pool.workers[1]?.state == .held(by: 10) && pool.replacement == nil)
        // Not again at once.
        #expect(!pool.canReplace(now: now.adding(seconds: 30)))
        #expect(pool.canReplace(now: now.adding(seconds: 61)))
    }

    @Test func aSuccessorThatDiesLeavesTheOldOneWhereItIs() {
        var pool = pool(1)
        _ = pool.apply(.outlived(1), now: now)
        _ = pool.apply(.spawned(2), now: now)
        _ = pool.apply(.ended(2, .exited(code: 1)), now: now)
        #expect(pool.replacement == nil && pool.workers.keys.sorted() == [1])
        #expect(pool.workers[1]?.isRetiring == false)
    }

    @Test func anOldOneThatDiesMeanwhileIsReplacedByItsSuccessor() {
        var pool = pool(1)
        _ = pool.apply(.outlived(1), now: now)
        _ = pool.apply(.spawned(2), now: now)
        let actions = pool.apply(.ended(1, .killed(signal: 11)), now: now)
        #expect(!actions.contains(.spawn) && pool.replacement == nil)
        #expect(
            pool.apply(.accepted(2), now: now) == [.grant(2, to: 10, isAsked: false)])
    }

    @Test func anOldOneWhoseHostLeavesIsNotGivenToTheNext() {
        var pool = pool(1)
        _ = pool.apply(.outlived(1), now: now)
        _ = pool.apply(.spawned(2), now: now)
        _ = pool.apply(.accepted(2), now: now)
        _ = pool.apply(.hostServes(20), now: now)
        #expect(pool.apply(.released(1, by: 10, .idle), now: now) == [.terminate(1)])
    }

    @Test func anOldOneWhoseHostDiesMayFinishAndGoes() {
        var pool = pool(1)
        _ = pool.apply(.outlived(1), now: now)
        _ = pool.apply(.spawned(2), now: now)
        _ = pool.apply(.accepted(2), now: now)
        #expect(pool.apply(.hostGone(10), now: now).contains(.reconnect(1)))
        #expect(pool.apply(.accepted(1), now: now).contains(.terminate(1)))
    }

    @Test func nothingIsExchangedInAPoolThatEnds() {
        var pool = pool(1)
        _ = pool.apply(.retired, now: now)
        #expect(pool.apply(.outlived(1), now: now) == [])
        #expect(!pool.canReplace(now: now))
    }

    @Test func aDeadlineDoesNotComeAgainAndAgainWhileASuccessorStarts() {
        var pool = pool(1)
        _ = pool.apply(.outlived(1), now: now)
        #expect(pool.deadline(now: now) == .never)
        _ = pool.apply(.spawned(2), now: now)
        #expect(pool.deadline(now: now) > now)
    }
}
