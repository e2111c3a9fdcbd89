// Memory for events that a poller reports.
// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Room for a few events: the poller fills it, and any thread may read an entry, also while it is filled anew;
/// then what was read is of no use, and nothing worse.
package struct EventRoom: ~Copyable, Sendable {
    package let capacity: Int
    /// A token and the events of each entry.
    nonisolated(unsafe) let words: UnsafeMutablePointer<Atomic<UInt64>>
    // because the words behind it are atomic

    package init(capacity: Int) {
        self.capacity = capacity
        words = .allocate(capacity: 2 * capacity)
        for index in 0..<2 * capacity { (words + index).initialize(to: Atomic(0)) }
    }

    deinit {
        words.deinitialize(count: 2 * capacity)
        words.deallocate()
    }

    /// - Parameter index: 0 to capacity - 1.
    package subscript(index: Int) -> Poller.Event {
        precondition(index >= 0 && index < capacity, "an event beyond the room")
        return Poller.Event(
            token: words[2 * index].load(ordering: .relaxed),
            events: Poller.Events(
                rawValue: UInt32(
                    truncatingIfNeeded: words[2 * index + 1].load(ordering: .relaxed))))
    }
}
