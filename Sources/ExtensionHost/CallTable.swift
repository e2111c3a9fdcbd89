// Where calls in progress live, and how a handle finds its call.
// SPDX-License-Identifier: Apache-2.0

import CISAPI
import Platform
import Synchronization

// A slot that a call has used rests before the next one gets it. An extension that uses a control block
// after its end finds the old handle there, which is refused; only when it is later than the rest is long
// does it find another request's. Each thread that makes calls keeps its own slots, so that the usual call
// shares nothing with other threads: a slot goes into its thread's queue when its call ends there, and the
// thread takes the queue's first only when more than `rest` are in it. What ends on other threads goes into
// one queue of the process, under a short lock, with the same rule. So between a call's end and the next
// use of its block at least `rest` later calls of that thread, or of all threads for a call that ended on
// another one, have begun.

/// All calls of extensions in this process.
///
/// Slots are made when they are needed and never freed, so that a handle of any age may be looked up: it
/// is an index and a generation, and a generation that has passed is refused. The control blocks stand in
/// one reserved run of memory, which is touched only as far as it is used.
final class CallTable: Sendable {
    static let shared = CallTable()

    /// The most slots. When they are all made, slots rest more shortly.
    private static let capacity = 1 << 17
    /// How many slots of a queue rest.
    static let rest = 128
    /// A control block has 192 bytes; two never share a cache line.
    private static let stride = 256

    /// What one thread keeps for its next calls.
    private struct Reserve {
        var resting = SlotQueue()
        /// The memory of a call, warm in the processor's cache.
        var spare: UnsafeMutablePointer<Call>?
    }

    /// What threads have left over.
    private struct Surplus: @unchecked Sendable {
        // because it is used under its lock alone.
        var resting = SlotQueue()
        var spares: [UnsafeMutablePointer<Call>] = []
    }

    private nonisolated(unsafe) let blocks: UnsafeMutableRawPointer
    // because each block belongs to the call of its slot.
    private nonisolated(unsafe) let slots: UnsafeMutablePointer<Unmanaged<CallSlot>>
    // because entries are written once, under `growth`, before `made` covers them.
    private let made = Atomic<Int>(0)  // [any]
    private let growth = Mutex(())
    private let surplus = Mutex(Surplus())
    private let reserves = ThreadPointer { CallTable.shared.threadEnds($0) }

    private init() {
        blocks = .allocate(byteCount: Self.capacity * Self.stride, alignment: Self.stride)
        slots = .allocate(capacity: Self.capacity)
    }

    /// A slot and memory for one call; nil when there are too many calls.
    func acquire() -> (slot: Unmanaged<CallSlot>, call: UnsafeMutablePointer<Call>)? {
        let reserve = reserves.value?.assumingMemoryBound(to: Reserve.self) ?? makeReserve()
        guard
            let slot = reserve.pointee.resting.removeFirst(ifMoreThan: Self.rest)
                ?? removeSurplus(ifMoreThan: Self.rest) ?? make()
                ?? reserve.pointee.resting.removeFirst(ifMoreThan: 0)
                ?? removeSurplus(ifMoreThan: 0)
        else { return nil }
        if let call = reserve.pointee.spare {
            reserve.pointee.spare = nil
            return (slot, call)
        }
        return (slot, surplus.withLock { $0.spares.popLast() } ?? makeCall())
    }

    /// The slot's call has ended, on this thread.
    func release(_ slot: CallSlot, _ call: UnsafeMutablePointer<Call>) {
        let slot = Unmanaged.passUnretained(slot)
        if let reserve = reserves.value?.assumingMemoryBound(to: Reserve.self),
            reserve.pointee.spare == nil, reserve.pointee.resting.count < 2 * Self.rest
        {
            reserve.pointee.spare = call
            reserve.pointee.resting.append(slot)
        } else {
            nonisolated(unsafe) let call = call
            // because the call has ended: nobody else has its memory.
            surplus.withLock {
                $0.spares.append(call)
                $0.resting.append(slot)
            }
        }
    }

    /// The call a handle names: a ConnID, or the address of a control block, which some extensions pass
    /// instead and which names the block's current call. Follows no pointer.
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
        let (index, rest) = (bits - start).quotientAndRemainder(dividingBy: UInt(Self.stride))
        guard rest == 0, index < UInt(made.load(ordering: .acquiring)) else { return nil }
        let slot = slots[Int(index)]
        return (slot, slot._withUnsafeGuaranteedRef { $0.generation })
    }

    func writeOffOverdue(_ now: Instant) -> [WrittenOffCall] {
        (0..<made.load(ordering: .acquiring)).compactMap { index in
            slots[index]._withUnsafeGuaranteedRef { $0.writeOff(now) }
        }
    }

    private func removeSurplus(ifMoreThan rest: Int) -> Unmanaged<CallSlot>? {
        surplus.withLock { $0.resting.removeFirst(ifMoreThan: rest) }
    }

    private func make() -> Unmanaged<CallSlot>? {
        growth.withLock { _ in
            let index = made.load(ordering: .relaxed)
            guard index < Self.capacity else { return nil }
            let block = (blocks + index * Self.stride).bindMemory(
                to: EXTENSION_CONTROL_BLOCK.self, capacity: 1)
            let slot = Unmanaged.passRetained(CallSlot(index: index, block: block))
            (slots + index).initialize(to: slot)
            made.store(index + 1, ordering: .releasing)
            return slot
        }
    }

    private func makeCall() -> UnsafeMutablePointer<Call> {
        let call = UnsafeMutablePointer<Call>.allocate(capacity: 1)
        call.initialize(to: Call())
        return call
    }

    private func makeReserve() -> UnsafeMutablePointer<Reserve> {
        let reserve = UnsafeMutablePointer<Reserve>.allocate(capacity: 1)
        reserve.initialize(to: Reserve())
        reserves.value = UnsafeMutableRawPointer(reserve)
        return reserve
    }

    private func threadEnds(_ pointer: UnsafeMutableRawPointer?) {
        guard let reserve = pointer?.assumingMemoryBound(to: Reserve.self) else { return }
        let left = reserve.move()
        reserve.deallocate()
        surplus.withLock {
            $0.resting.append(left.resting)
            if let spare = left.spare { $0.spares.append(spare) }
        }
    }
}
