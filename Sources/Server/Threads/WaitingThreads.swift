// How many threads may wait for slow clients.
// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Counts the threads of a shard that wait for clients, or may have to: never more than half of all.
final class WaitingThreads: Sendable {
    private let most: Int
    private let count = Atomic<Int>(0)

    init(most: Int) { self.most = most }

    var isEmpty: Bool { count.load(ordering: .relaxed) == 0 }

    /// False, and nothing counted: this one may not wait.
    func enter() -> Bool {
        guard count.add(1, ordering: .relaxed).newValue > most else { return true }
        leave()
        return false
    }

    func leave() { count.subtract(1, ordering: .relaxed) }
}
