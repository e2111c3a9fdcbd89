// Debug builds trap where a thread acts as if it had what another one has.
// SPDX-License-Identifier: Apache-2.0

import Platform
import Synchronization
import Testing

#if DEBUG
    @Suite(.timeLimit(.minutes(3))) struct HolderTests {
        private final class Held: Sendable {
            let holder = Holder()
            let isDone = Atomic<Bool>(false)

            /// Runs `body` on another thread, to its end unless it traps.
            func onAnotherThread(_ body: @escaping @Sendable (Held) -> Void) throws {
                try Thread.start(named: "another") { [self] in
                    body(self)
                    isDone.store(true, ordering: .releasing)
                }
                while !isDone.load(ordering: .acquiring) { Thread.yield() }
            }
        }

        @Test func whoHasItMayActAndPassItOn() throws {
            let held = Held()
            held.holder.take()
            held.holder.check("it is mine")
            held.holder.leave()
            try held.onAnotherThread { held in
                held.holder.take()
                held.holder.check("it is mine now")
            }
        }

        @Test func entersAreNestedAndTheOutermostEndsThem() throws {
            let held = Held()
            let outer = held.holder.enter("alone")
            let inner = held.holder.enter("alone")
            held.holder.leave(inner)
            held.holder.check("the outer one is still there")
            held.holder.leave(outer)
            try held.onAnotherThread { $0.holder.leave($0.holder.enter("alone again")) }
        }

        @Test func whoActsWithoutHavingItIsTrapped() async {
            await #expect(processExitsWith: .failure) {
                let held = Held()
                held.holder.take()
                try held.onAnotherThread { $0.holder.check("it is another's") }
            }
        }

        @Test func whoEntersWhileAnotherThreadIsInsideIsTrapped() async {
            await #expect(processExitsWith: .failure) {
                let held = Held()
                _ = held.holder.enter("alone")
                try held.onAnotherThread { _ = $0.holder.enter("alone") }
            }
        }
    }
#endif
