// One place in the table of calls: who may use it now, and how a call begins and ends in it.
// SPDX-License-Identifier: Apache-2.0

import CISAPI
import Synchronization

// A call's life. Every step is taken under the slot's lock, and a step to `free` passes the generation on,
// so that a handle of the ended call finds nothing:
//
//   free ──begin──► running ──returned SUCCESS, ERROR, or DONE came──────────► free   (.finished)
//                      └──────returned PENDING──► pending ──DONE────────────► free   (complete)
//                                                    └──────deadline────────► free   (fail 504, complete)

/// A slot of the table: a control block, and the call that uses it.
final class CallSlot: Sendable {
    let index: Int
    nonisolated(unsafe) let block: UnsafeMutablePointer<EXTENSION_CONTROL_BLOCK>
    // because the slot's call owns its block, and blocks are never freed.
    let generation = Atomic<UInt64>(1)
    /// The generation whose deadline has passed.
    private let revoked = Atomic<UInt64>(0)
    /// Index + 1 of the next free slot.
    let next = Atomic<UInt32>(0)
    private let call: Mutex<Call>

    init(index: Int, block: UnsafeMutablePointer<EXTENSION_CONTROL_BLOCK>) {
        self.index = index
        self.block = block
        call = Mutex(Call())
    }

    /// Fills in the control block. The generation names this call until it ends.
    func begin(_ exchange: any ExtensionExchange) -> UInt64 {
        let generation = self.generation.load(ordering: .relaxed)
        call.withLock {
            $0.begin(exchange, block, Handle.make(index: index, generation: generation))
        }
        return generation
    }

    /// HttpExtensionProc has returned.
    func returned(
        _ generation: UInt64, _ status: UInt32, _ whenPending: (PendingCall) -> Void
    ) -> CallOutcome {
        let pending = PendingCall(slot: self, generation: generation)
        let isPending = call.withLock { call in
            if status == UInt32(HSE_STATUS_PENDING) && !call.isDone {
                call.phase = .pending
                whenPending(pending)
                return true
            }
            call.finish(call.isDone ? call.doneStatus : status, block)
            end(&call)
            return false
        }
        if isPending { return .pending(pending) }
        CallTable.shared.release(self)
        return .finished
    }

    /// Runs one callback; its result is an ERROR_ number, 0 for success.
    func perform(_ generation: UInt64, _ body: (inout Call) -> UInt32) -> UInt32 {
        guard isCurrent(generation) else { return UInt32(ERROR_INVALID_PARAMETER) }
        var isPending = false
        let code = call.withLock { call in
            guard isCurrent(generation), call.phase != .free, !call.isDone else {
                return UInt32(ERROR_INVALID_PARAMETER)
            }
            isPending = call.phase == .pending
            return body(&call)
        }
        // Only a pending call can be revoked, and it cannot have become one while the lock was held.
        if isPending { endIfRevoked(generation) }
        return code
    }

    /// HSE_REQ_DONE_WITH_SESSION.
    func done(_ generation: UInt64, status: UInt32) -> UInt32 {
        guard isCurrent(generation) else { return UInt32(ERROR_INVALID_PARAMETER) }
        var ended: (any ExtensionExchange)?
        let code = call.withLock { call in
            guard isCurrent(generation), call.phase != .free, !call.isDone else {
                return UInt32(ERROR_INVALID_PARAMETER)
            }
            call.isDone = true
            call.doneStatus = status
            // Still running: the thread that called HttpExtensionProc ends it when that returns.
            guard call.phase == .pending else { return UInt32(NO_ERROR) }
            call.finish(status, block)
            ended = end(&call)
            return UInt32(NO_ERROR)
        }
        if let ended {
            CallTable.shared.release(self)
            ended.complete()
        } else {
            endIfRevoked(generation)
        }
        return code
    }

    /// The deadline has passed: refuses all callbacks from now on, and ends the call unless a thread is
    /// inside a callback; that thread then ends it on its way out.
    func revoke(_ generation: UInt64) -> Bool {
        // Generations only grow, and so does the mark: a late revocation of an ended call changes nothing.
        var seen = revoked.load(ordering: .relaxed)
        while seen < generation {
            let (exchanged, original) = revoked.weakCompareExchange(
                expected: seen, desired: generation, ordering: .sequentiallyConsistent)
            if exchanged { break }
            seen = original
        }
        return endRevoked(generation)
    }

    private func isCurrent(_ generation: UInt64) -> Bool {
        self.generation.load(ordering: .acquiring) & Handle.generationMask == generation
            && revoked.load(ordering: .relaxed) != generation
    }

    /// After the lock is open again. The fence pairs with `revoke`: either it gets the lock, or this sees
    /// its mark.
    private func endIfRevoked(_ generation: UInt64) {
        atomicMemoryFence(ordering: .sequentiallyConsistent)
        if revoked.load(ordering: .relaxed) == generation { _ = endRevoked(generation) }
    }

    private func endRevoked(_ generation: UInt64) -> Bool {
        var ended: (any ExtensionExchange)?
        _ = call.withLockIfAvailable { call in
            guard self.generation.load(ordering: .relaxed) & Handle.generationMask == generation,
                call.phase == .pending
            else { return }
            ended = end(&call)
        }
        guard let ended else { return false }
        CallTable.shared.release(self)
        ended.fail(status: 504, reason: "the extension did not end its pending request in time")
        ended.complete()
        return true
    }

    /// Passes the generation on; gives the exchange to whoever completes it.
    @discardableResult
    private func end(_ call: inout Call) -> (any ExtensionExchange)? {
        let exchange = call.exchange
        call.exchange = nil
        call.phase = .free
        generation.add(1, ordering: .releasing)
        return exchange
    }
}

/// A call that returned HSE_STATUS_PENDING.
package struct PendingCall: Sendable {
    let slot: CallSlot
    let generation: UInt64

    /// Ends the call because its time is up: the exchange gets `fail(504)` and `complete()`, and every
    /// later callback of the extension fails without touching it.
    ///
    /// True: it ended now, on this thread. False: it has ended, or a thread is inside a callback of it and
    /// ends it in the same way when that callback returns.
    @discardableResult
    package func revoke() -> Bool { slot.revoke(generation) }
}
