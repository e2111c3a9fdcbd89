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
///
/// Buckets are chains through their members, which must live as long as the wheel: a schedulable of any
/// kind may have a deadline, and the wheel never allocates.
struct TimerWheel {
    private static let buckets = 1024
    /// Nanoseconds of a bucket: a turn of the wheel takes 16 seconds.
    private static let width: Int64 = 16_000_000

    /// The first of each bucket; `Schedulable.nextInBucket` leads on.
    private var first = [Unmanaged<Schedulable>?](repeating: nil, count: Self.buckets)
    /// The bucket up to which all have been looked at, as a count since the beginning.
    private var position: Int64

    init(now: Instant) { position = now.nanoseconds / Self.width }

    /// Files what `PostedTimers.take` has given, turns to `now`, and calls `expired` with everything whose
    /// deadline has passed; it is in no wheel then.
    mutating func turn(
        to now: Instant, posted: Unmanaged<Schedulable>?,
        expired: (Unmanaged<Schedulable>) -> Void
    ) {
        var posted = posted
        while let timer = posted {
            // Before it is filed: from then on it may be posted again.
            posted = timer._withUnsafeGuaranteedRef { $0.nextPosted }
            file(timer, now)
        }
        let end = now.nanoseconds / Self.width
        // After a pause of more than a turn every bucket is looked at once.
        position = max(position, end - Int64(Self.buckets))
        while position < end {
            let bucket = Int(position % Int64(Self.buckets))
            position += 1
            var next = first[bucket]
            first[bucket] = nil
            while let timer = next {
                next = timer._withUnsafeGuaranteedRef { $0.nextInBucket }
                inspect(timer, now, expired)
            }
        }
    }

    private mutating func inspect(
        _ timer: Unmanaged<Schedulable>, _ now: Instant, _ expired: (Unmanaged<Schedulable>) -> Void
    ) {
        // Filed nowhere first, the deadline read afterwards: whoever sets one in between either is seen
        // here, or sees that it is filed nowhere and posts it.
        let deadline = timer._withUnsafeGuaranteedRef { timer -> Int64 in
            timer.filed.store(.max, ordering: .sequentiallyConsistent)
            return timer.deadline.load(ordering: .sequentiallyConsistent)
        }
        if deadline == .max { return }
        if deadline <= now.nanoseconds { return expired(timer) }
        insert(timer, deadline, now)
    }

    private mutating func file(_ timer: Unmanaged<Schedulable>, _ now: Instant) {
        let (deadline, filed) = timer._withUnsafeGuaranteedRef {
            // Before the deadline is read: who sets an earlier one from now on posts it again.
            $0.isPosted.store(false, ordering: .sequentiallyConsistent)
            return (
                $0.deadline.load(ordering: .sequentiallyConsistent),
                $0.filed.load(ordering: .relaxed)
            )
        }
        if deadline >= filed { return }
        if filed != .max { remove(timer, from: filed) }
        insert(timer, deadline, now)
    }

    /// Never into the bucket being emptied: at the earliest into the next.
    private mutating func insert(
        _ timer: Unmanaged<Schedulable>, _ deadline: Int64, _ now: Instant
    ) {
        let latest = (now.nanoseconds / Self.width + Int64(Self.buckets) - 1) * Self.width
        let at = max(min(deadline, latest), (position + 1) * Self.width)
        let bucket = Int(at / Self.width % Int64(Self.buckets))
        timer._withUnsafeGuaranteedRef {
            $0.nextInBucket = first[bucket]
            $0.filed.store(at, ordering: .sequentiallyConsistent)
        }
        first[bucket] = timer
    }

    private mutating func remove(_ timer: Unmanaged<Schedulable>, from filed: Int64) {
        let bucket = Int(filed / Self.width % Int64(Self.buckets))
        let following = timer._withUnsafeGuaranteedRef { $0.nextInBucket }
        if first[bucket]?.toOpaque() == timer.toOpaque() {
            first[bucket] = following
            return
        }
        var member = first[bucket]
        while let before = member {
            member = before._withUnsafeGuaranteedRef { $0.nextInBucket }
            guard member?.toOpaque() == timer.toOpaque() else { continue }
            return before._withUnsafeGuaranteedRef { $0.nextInBucket = following }
        }
        preconditionFailure("a filed timer is in its bucket")
    }
}
