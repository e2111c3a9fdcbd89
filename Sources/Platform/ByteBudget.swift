// How many bytes a process may hold for something, all its threads together.
// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// A bound that is charged before bytes are held and credited when they are gone. Any thread.
package final class ByteBudget: Sendable {
    package let limit: Int64
    private let used = Atomic<Int64>(0)

    package init(limit: Int64) { self.limit = limit }

    /// Bytes charged now.
    package var charged: Int64 { used.load(ordering: .relaxed) }

    /// Charges so many bytes; false, and nothing charged, when they are more than is left.
    package func take(_ count: Int64) -> Bool {
        guard used.add(count, ordering: .relaxed).newValue > limit else { return true }
        used.subtract(count, ordering: .relaxed)
        return false
    }

    package func give(_ count: Int64) { used.subtract(count, ordering: .relaxed) }
}
