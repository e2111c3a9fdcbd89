// The slots that rest between two calls.
// SPDX-License-Identifier: Apache-2.0

/// A queue of slots, first in, first out. It has one owner at a time and allocates nothing.
struct SlotQueue {
    private(set) var count = 0
    private var oldest: Unmanaged<CallSlot>?
    private var newest: Unmanaged<CallSlot>?

    mutating func append(_ slot: Unmanaged<CallSlot>) {
        var one = SlotQueue()
        one.count = 1
        one.oldest = slot
        one.newest = slot
        slot._withUnsafeGuaranteedRef { $0.next = nil }
        append(one)
    }

    /// Appends all slots of another queue, in their order.
    mutating func append(_ others: SlotQueue) {
        guard let first = others.oldest else { return }
        if let newest {
            newest._withUnsafeGuaranteedRef { $0.next = first }
        } else {
            oldest = first
        }
        newest = others.newest
        count += others.count
    }

    /// The slot that has rested longest, when more than so many rest.
    mutating func removeFirst(ifMoreThan rest: Int) -> Unmanaged<CallSlot>? {
        guard count > rest, let slot = oldest else { return nil }
        oldest = slot._withUnsafeGuaranteedRef { $0.next }
        if oldest == nil { newest = nil }
        count -= 1
        return slot
    }
}
