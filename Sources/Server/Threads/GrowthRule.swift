// When a shard gets another thread.
// SPDX-License-Identifier: Apache-2.0

import Platform

/// One more thread when ready work has waited, whatever the threads that there are do: block, or compute
/// without end. As many as there are processors at once at first, then one at each look.
///
/// How long ready work waits is measured: when no thread waits for events, an event of the clock's own
/// joins the row of the others, and its age until a thread takes it is theirs.
struct GrowthRule {
    /// Seconds that ready work may wait.
    static let patience = 0.01

    private let processors: Int
    private var hasGrown = false

    init(processors: Int) { self.processors = processors }

    /// How many threads to add, at most `room`.
    ///
    /// - Parameter waited: seconds that the oldest ready work has waited; 0 when a thread is free.
    mutating func growth(waited: Double, room: Int) -> Int {
        guard waited > Self.patience else {
            hasGrown = false
            return 0
        }
        let wanted = hasGrown ? 1 : processors
        hasGrown = true
        return max(0, min(wanted, room))
    }
}
