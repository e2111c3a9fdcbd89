// Setting deadlines, from any thread.
// SPDX-License-Identifier: Apache-2.0

import Platform
import Synchronization

/// The way of a deadline to the wheel that only the clock turns: a store, and a place in a chain when the
/// wheel would look too late.
struct PostedTimers: ~Copyable, Sendable {
    /// [any] What is to be filed anew, the last one first; `Schedulable.nextPosted` leads on.
    private let last = Atomic<Unmanaged<Schedulable>?>(nil)
    /// Debug builds know the clock's thread.
    private let clock = Holder()

    /// Sets when the clock is to run it. A deadline that only moves a little further is left as it is: who
    /// runs too early looks at its own time.
    func arm(_ item: Schedulable, at deadline: Instant) {
        let old = item.deadline.load(ordering: .relaxed)
        let new = deadline.nanoseconds
        let isNear = new == old || new > old && new &- old < 100_000_000
        // Only while the wheel will look: what has fired is filed nowhere.
        if isNear, item.filed.load(ordering: .sequentiallyConsistent) != .max { return }
        _ = item.deadline.exchange(new, ordering: .sequentiallyConsistent)
        guard new < item.filed.load(ordering: .sequentiallyConsistent),
            !item.isPosted.exchange(true, ordering: .sequentiallyConsistent)
        else { return }
        post(item)
    }

    private func post(_ item: Schedulable) {
        var before = last.load(ordering: .relaxed)
        while true {
            item.nextPosted = before
            let (isPosted, now) = last.weakCompareExchange(
                expected: before, desired: .passUnretained(item), ordering: .acquiringAndReleasing)
            if isPosted { return }
            before = now
        }
    }

    /// [clock] What has been posted since the last call.
    func take() -> Unmanaged<Schedulable>? {
        clock.bind("only the clock turns the wheel")
        return last.exchange(nil, ordering: .acquiringAndReleasing)
    }
}
