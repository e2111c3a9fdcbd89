// A gate loses no wake-up and never waits past its deadline.
// SPDX-License-Identifier: Apache-2.0

import Platform
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(5)))
struct GateTests {
    /// Generous: nothing waits so long unless a wake-up was lost.
    private static var soon: Instant { .now.adding(seconds: 30) }

    @Test func aWakeBetweenTheTicketAndTheWaitIsNotLost() {
        let gate = Gate()
        let ticket = gate.ticket
        gate.wake()
        #expect(gate.wait(after: ticket, until: .never))
    }

    @Test func withoutAWakeTheDeadlineEndsTheWait() {
        let gate = Gate()
        gate.wake()
        #expect(!gate.wait(after: gate.ticket, until: .now.adding(seconds: 0.01)))
        #expect(!gate.wait(after: gate.ticket, until: .now))
        #expect(!gate.wait(after: gate.ticket, until: Instant(nanoseconds: -1)))
    }

    @Test func oneWakeLetsAllWaitersGoOn() throws {
        let gate = Gate()
        let isOpen = Atomic<Bool>(false)
        let passed = Atomic<Int>(0)
        try withThreads(8) { _ in
            while true {
                let ticket = gate.ticket
                if isOpen.load(ordering: .acquiring) { break }
                guard gate.wait(after: ticket, until: Self.soon) else { return }
            }
            passed.add(1, ordering: .relaxed)
        } meanwhile: {
            Thread.sleep(milliseconds: 5)
            isOpen.store(true, ordering: .releasing)
            gate.wake()
        }
        #expect(passed.load(ordering: .relaxed) == 8)
    }

    @Test func twoThreadsThatWakeEachOtherNeverMissATurn() throws {
        let gate = Gate()
        let turn = Atomic<Int>(0)
        let rounds = 20_000
        let finished = Atomic<Int>(0)
        try withThreads(2) { mine in
            for round in 0..<rounds {
                while true {
                    let ticket = gate.ticket
                    if turn.load(ordering: .acquiring) == round * 2 + mine { break }
                    guard gate.wait(after: ticket, until: Self.soon) else { return }
                }
                turn.add(1, ordering: .releasing)
                gate.wake()
            }
            finished.add(1, ordering: .relaxed)
        }
        #expect(finished.load(ordering: .relaxed) == 2)
        #expect(turn.load(ordering: .relaxed) == rounds * 2)
    }

    /// Runs `body` on so many threads and waits for all of them.
    private func withThreads(
        _ count: Int, _ body: @escaping @Sendable (Int) -> Void, meanwhile: () -> Void = {}
    ) throws {
        let ended = Ended()
        for index in 0..<count {
            try Thread.start(named: "gate-\(index)") {
                body(index)
                ended.count.add(1, ordering: .releasing)
            }
        }
        meanwhile()
        while ended.count.load(ordering: .acquiring) < count { Thread.sleep(milliseconds: 1) }
    }

    private final class Ended: Sendable { let count = Atomic<Int>(0) }
}
