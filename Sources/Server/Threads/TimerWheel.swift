// Deadlines of everything in a shard: many, and hardly one of them ever comes.
// SPDX-License-Identifier: Apache-2.0

import Platform
import Synchronization

/// A wheel of buckets that only the clock turns.
///
/// A deadline is a field of what it belongs to. Filed is when the wheel looks at it: a later deadline is
/// only stored, and found when that moment comes; an earlier one is posted, and the clock files it anew.
/// Deadlines beyond a turn of the wheel are filed once around at most. So a connection that answers request
/// after request costs the clock one look in some seconds, and itself a store.
struct TimerWheel {
    private static let buckets = 1024
    /// Nanoseconds of a bucket: a turn of the wheel takes 16 seconds.
    private static let width: Int64 = 16_000_000

    /// By bucket and by number: the first of a bucket, and the next of the same bucket. -1 ends.
    private var first: [Int32]
    private var next: [Int32]
    /// The bucket up to which all have been looked at, as a count since the beginning.
    private var position: Int64

    init(capacity: Int, now: Instant) {
        first = [Int32](repeating: -1, count: Self.buckets)
        next = [Int32](repeating: -1, count: capacity)
        position = now.nanoseconds / Self.width
    }

    /// Files what has been posted, turns to `now`, and calls `expired` with each number whose deadline has
    /// passed; it is in no wheel then. `timer` finds what a number belongs to.
    mutating func turn(
        to now: Instant, posted: [Int32], timer: (Int32) -> Unmanaged<Schedulable>,
        expired: (Int32) -> Void
    ) {
        for number in posted { file(number, timer(number), now) }
        let end = now.nanoseconds / Self.width
        // After a pause of more than a turn every bucket is looked at once.
        position = max(position, end - Int64(Self.buckets))
        while position < end {
            let bucket = Int(position % Int64(Self.buckets))
            position += 1
            var number = first[bucket]
            first[bucket] = -1
            while number >= 0 {
                let following = next[Int(number)]
                inspect(number, timer(number), now, expired)
                number = following
            }
        }
    }

    private mutating func inspect(
        _ number: Int32, _ timer: Unmanaged<Schedulable>, _ now: Instant,
        _ expired: (Int32) -> Void
    ) {
        // Filed nowhere first, the deadline read afterwards: whoever sets one in between either is seen
        // here, or sees that it is filed nowhere and posts it.
        let deadline = timer._withUnsafeGuaranteedRef { timer -> Int64 in
            timer.filed.store(.max, ordering: .sequentiallyConsistent)
            return timer.deadline.load(ordering: .sequentiallyConsistent)
        }
        if deadline == .max { return }
        if deadline <= now.nanoseconds { return expired(number) }
        insert(number, timer, deadline, now)
    }

    private mutating func file(_ number: Int32, _ timer: Unmanaged<Schedulable>, _ now: Instant) {
        let (deadline, filed) = timer._withUnsafeGuaranteedRef {
            // Before the deadline is read: who sets an earlier one from now on posts it again.
            $0.isPosted.store(false, ordering: .sequentiallyConsistent)
            return (
                $0.deadline.load(ordering: .sequentiallyConsistent),
                $0.filed.load(ordering: .relaxed)
            )
        }
        if deadline >= filed { return }
        if filed != .max { remove(number, from: filed) }
        insert(number, timer, deadline, now)
    }

    /// Never into the bucket being emptied: at the earliest into the next.
    private mutating func insert(
        _ number: Int32, _ timer: Unmanaged<Schedulable>, _ deadline: Int64, _ now: Instant
    ) {
        let latest = (now.nanoseconds / Self.width + Int64(Self.buckets) - 1) * Self.width
        let at = max(min(deadline, latest), (position + 1) * Self.width)
        let bucket = Int(at / Self.width % Int64(Self.buckets))
        next[Int(number)] = first[bucket]
        first[bucket] = number
        timer._withUnsafeGuaranteedRef { $0.filed.store(at, ordering: .sequentiallyConsistent) }
    }

    private mutating func remove(_ number: Int32, from filed: Int64) {
        let bucket = Int(filed / Self.width % Int64(Self.buckets))
        if first[bucket] == number {
            first[bucket] = next[Int(number)]
            return
        }
        var before = first[bucket]
        while before >= 0, next[Int(before)] != number { before = next[Int(before)] }
        precondition(before >= 0, "a filed timer is in its bucket")
        next[Int(before)] = next[Int(number)]
    }
}
