// Which of the connections that a slot has had one after the other something is said of.
// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// [any] A mark on a slot's connection that cannot be taken for one on its next.
///
/// A slot has one connection after another, told apart by their generations. What a thread says late of an
/// earlier one must not replace what is known of the one that is there.
struct GenerationMark: ~Copyable {
    private let marked = Atomic<UInt64>(.max)

    /// Marks that generation, unless `isCurrent` says that the slot has gone on to another.
    func mark(_ generation: UInt32, _ isCurrent: () -> Bool) {
        // Read before the look: a mark that the next generation gets in between makes the exchange fail.
        var seen = marked.load(ordering: .acquiring)
        while isCurrent() {
            let (exchanged, now) = marked.weakCompareExchange(
                expected: seen, desired: UInt64(generation), ordering: .acquiringAndReleasing)
            if exchanged { return }
            seen = now
        }
    }

    func isOn(_ generation: UInt32) -> Bool {
        marked.load(ordering: .relaxed) == UInt64(generation)
    }
}
