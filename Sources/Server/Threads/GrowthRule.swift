// When a shard gets another thread.
// SPDX-License-Identifier: Apache-2.0

import Platform

/// One more thread when ready work has waited, whatever the threads that there are do: block, or compute
/// without end. As many as there are processors at once at first, then one at each look. None while the
/// threads that begin one thing after the other have the processors to themselves: there is just more to do
/// than they can, and another thread would only take their time.
///
/// How long ready work waits is measured: when no thread waits for events, an event of the clock's own
/// joins the row of the others, and its age until a thread takes it is theirs.
struct GrowthRule {
    /// Seconds that ready work may wait.
    static let patience = 0.01

    private let processors: Int
    /// The shard's part of the processors.
    private let share: Double
    private var hasGrown = false

    init(processors: Int, shards: Int = 1) {
        self.processors = processors
        share = Double(processors) / Double(max(1, shards))
    }

    /// How many threads to add, at most `room`; nil: nothing waits that another thread could help.
    ///
    /// - Parameters:
    ///   - waited: seconds that the oldest ready work has waited; 0 when a thread is free.
    ///   - used: how many processors the threads used that have begun something since the last look.
    mutating func growth(waited: Double, used: Double, room: Int) -> Int? {
        guard waited > Self.patience else {
            hasGrown = false
            return nil
        }
        // One thread fewer that gets on would be seen, however many there are; and one that is blocked for
        // part of its time.
        guard used <= max(0.75 * share, share - 0.5) else { return nil }
        let wanted = hasGrown ? 1 : processors
        hasGrown = true
        return max(0, min(wanted, room))
    }
}
