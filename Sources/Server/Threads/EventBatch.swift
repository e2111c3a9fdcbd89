// Events a thread has taken from epoll and not yet begun, where they can be taken away from it again.
// SPDX-License-Identifier: Apache-2.0

import Platform
import Synchronization

/// A few events for one thread, in order.
///
/// A pool whose threads are all busy takes several events with one system call. Should an extension block
/// the thread meanwhile, the clock takes what is left and gives it to another one.
final class EventBatch: Sendable {
    static let capacity = 16

    /// An entry that is read while it is written anew is never used: the position has changed then.
    private let room = EventRoom(capacity: EventBatch.capacity)
    /// A counter of fillings, the number of entries, and the next one: 32, 16 and 16 bits.
    private let position = Atomic<UInt64>(0)

    /// How many were taken together.
    var count: Int { Int(position.load(ordering: .relaxed) >> 16 & 0xffff) }

    /// Waits for up to `most` events; false after the time-out. Called by the owner of an empty batch.
    func fill(from poller: borrowing Poller, most: Int, milliseconds: Int32) -> Bool {
        let count = poller.wait(into: room, most: most, milliseconds: milliseconds)
        guard count > 0 else { return false }
        publish(count)
        return true
    }

    /// The next event, for whoever asks first.
    func next() -> Poller.Event? {
        var seen = position.load(ordering: .acquiring)
        while seen & 0xffff < seen >> 16 & 0xffff {
            let event = room[Int(seen & 0xffff)]
            let (taken, now) = position.compareExchange(
                expected: seen, desired: seen + 1, ordering: .acquiringAndReleasing)
            if taken { return event }
            seen = now
        }
        return nil
    }

    private func publish(_ count: Int) {
        let filling = position.load(ordering: .relaxed) >> 32 &+ 1
        position.store(filling << 32 | UInt64(count) << 16, ordering: .releasing)
    }
}
