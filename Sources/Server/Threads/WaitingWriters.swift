// How many threads may wait for slow clients.
// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Counts the writers of a shard that wait for their clients: never more than half of its threads.
final class WaitingWriters: Sendable {
    private let most: Int
    private let count = Atomic<Int>(0)

    init(threads: Int) { most = max(1, threads / 2) }

    /// False, and nothing counted: this one may not wait.
    func enter() -> Bool {
        guard count.add(1, ordering: .relaxed).newValue > most else { return true }
        leave()
        return false
    }

    func leave() { count.subtract(1, ordering: .relaxed) }
}
