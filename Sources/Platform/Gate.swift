// Waiting until another thread says that something may have changed.
// SPDX-License-Identifier: Apache-2.0

import CPlatform
import Synchronization

/// A counted event: a thread waits for a condition that others change, without a lock around it.
///
/// The ticket is taken before the condition is looked at, so a change between the look and the wait is
/// never slept through. Nothing is counted twice or lost, any number of threads may wait, and `wake` costs
/// no system call while none does.
///
///     while true {
///         let ticket = gate.ticket
///         if isReady() { break }
///         guard gate.wait(after: ticket, until: deadline) else { return .timedOut }
///     }
///
/// The other side changes the condition first and then calls `gate.wake()`.
package final class Gate: Sendable {
    private nonisolated(unsafe) let words: UnsafeMutablePointer<Atomic<UInt32>>
    // because both words are atomic, and the pointer to them never changes.

    package init() {
        words = .allocate(capacity: 2)
        words.initialize(to: Atomic(0))
        (words + 1).initialize(to: Atomic(0))
    }

    deinit {
        words.deinitialize(count: 2)
        words.deallocate()
    }

    /// How often the gate was woken so far; only good for `wait`.
    package struct Ticket: Equatable, Sendable {
        fileprivate let count: UInt32
    }

    package var ticket: Ticket { Ticket(count: words[0].load(ordering: .sequentiallyConsistent)) }

    /// Waits for a `wake` after the ticket was taken; returns at once when there has been one.
    ///
    /// - Returns: false when the deadline passed without one.
    package func wait(after ticket: Ticket, until deadline: Instant) -> Bool {
        // The waker raises the count and then looks for sleepers; a sleeper says that it is one and then
        // the kernel looks at the count. So one of the two sees the other.
        words[1].add(1, ordering: .sequentiallyConsistent)
        defer { words[1].subtract(1, ordering: .relaxed) }
        let word = UnsafeRawPointer(words).assumingMemoryBound(to: UInt32.self)
        while self.ticket == ticket {
            let woken = cplatform_futex_wait(word, ticket.count, max(0, deadline.nanoseconds))
            if woken == 0 { return self.ticket != ticket }
        }
        return true
    }

    /// Lets every waiting thread look at its condition again.
    package func wake() {
        words[0].add(1, ordering: .sequentiallyConsistent)
        guard words[1].load(ordering: .sequentiallyConsistent) > 0 else { return }
        cplatform_futex_wake_all(UnsafeRawPointer(words).assumingMemoryBound(to: UInt32.self))
    }
}
