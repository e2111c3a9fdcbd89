// Where calls in progress live, and how a handle finds its call.
// SPDX-License-Identifier: Apache-2.0

import CISAPI
import Synchronization

/// All calls of extensions in this process.
///
/// Slots are made when they are needed and never freed, so that a handle of any age may be looked up: it
/// is an index and a generation, and a generation that has passed is refused. The control blocks stand in
/// one reserved run of memory, which is touched only as far as it is used.
final class CallTable: Sendable {
    static let shared = CallTable()

    /// The most calls at the same time, PENDING ones included.
    static let capacity = 1 << 16
    /// A control block has 192 bytes; two never share a cache line.
    private static let stride = 256

    private nonisolated(unsafe) let blocks: UnsafeMutableRawPointer
    // because each block belongs to the holder of its slot.
    private nonisolated(unsafe) let slots: UnsafeMutablePointer<Unmanaged<CallSlot>>
    // because entries are written once, under `growth`, before `made` covers them.
    private let made = Atomic<Int>(0)
    private let growth = Mutex(())
    /// The free slots as a stack: index + 1 of its top below, a counter against ABA above.
    private let free = Atomic<UInt64>(0)

    private init() {
        blocks = .allocate(byteCount: Self.capacity * Self.stride, alignment: Self.stride)
        slots = .allocate(capacity: Self.capacity)
    }

    /// A slot for one call; nil when all are in use.
    func take() -> CallSlot? {
        var top = free.load(ordering: .acquiring)
        while true {
            let index = Int(top & 0xffff_ffff) - 1
            guard index >= 0 else { return make() }
            let slot = slot(index)
            let next = UInt64(slot.next.load(ordering: .relaxed))
            let desired = (top >> 32 &+ 1) << 32 | next
            let (exchanged, original) = free.weakCompareExchange(
                expected: top, desired: desired, ordering: .acquiringAndReleasing)
            if exchanged { return slot }
            top = original
        }
    }

    /// Gives a slot back: its generation has passed.
    func release(_ slot: CallSlot) {
        var top = free.load(ordering: .relaxed)
        while true {
            slot.next.store(UInt32(truncatingIfNeeded: top), ordering: .relaxed)
            let desired = (top >> 32 &+ 1) << 32 | UInt64(slot.index + 1)
            let (exchanged, original) = free.weakCompareExchange(
                expected: top, desired: desired, ordering: .acquiringAndReleasing)
            if exchanged { return }
            top = original
        }
    }

    /// The call a handle names: a ConnID, or the address of a control block, which some extensions pass
    /// instead. Follows no pointer.
    ///
    /// The slot is not counted: slots live as long as the process, and every callback asks.
    func find(_ handle: HCONN?) -> (slot: Unmanaged<CallSlot>, generation: UInt64)? {
        let bits = UInt(bitPattern: handle)
        if bits & Handle.mark != 0 {
            let index = Handle.index(bits)
            guard index < made.load(ordering: .acquiring) else { return nil }
            return (slots[index], Handle.generation(bits))
        }
        let start = UInt(bitPattern: blocks)
        guard bits >= start else { return nil }
        let distance = bits - start
        guard distance % UInt(Self.stride) == 0 else { return nil }
        let index = Int(distance / UInt(Self.stride))
        guard index < made.load(ordering: .acquiring) else { return nil }
        let generation = slots[index]._withUnsafeGuaranteedRef {
            $0.generation.load(ordering: .acquiring)
        }
        return (slots[index], generation)
    }

    private func slot(_ index: Int) -> CallSlot { slots[index].takeUnretainedValue() }

    private func make() -> CallSlot? {
        growth.withLock { _ in
            let index = made.load(ordering: .relaxed)
            guard index < Self.capacity else { return nil }
            let block = (blocks + index * Self.stride).bindMemory(
                to: EXTENSION_CONTROL_BLOCK.self, capacity: 1)
            let slot = CallSlot(index: index, block: block)
            (slots + index).initialize(to: Unmanaged.passRetained(slot))
            made.store(index + 1, ordering: .releasing)
            return slot
        }
    }
}

/// ConnID: a number that is no address of this process, so that following it cannot do harm unseen.
enum Handle {
    /// No user-space address has the highest bit set, on x86-64 and aarch64.
    static let mark: UInt = 1 << 63
    private static let indexBits: UInt = 20
    static let generationMask: UInt64 = 1 << 43 - 1

    static func make(index: Int, generation: UInt64) -> HCONN? {
        HCONN(bitPattern: mark | UInt(generation & generationMask) << indexBits | UInt(index))
    }

    static func index(_ handle: UInt) -> Int { Int(handle & (1 << indexBits - 1)) }
    static func generation(_ handle: UInt) -> UInt64 { UInt64(handle & ~mark) >> UInt64(indexBits) }
}
