// One place in the table of calls: who may use it now, and how a call begins and ends in it.
// SPDX-License-Identifier: Apache-2.0

import CISAPI
internal import Exchange
import Platform
import Synchronization

/// A control block, and the call that uses it. Between two calls it rests, see `CallTable`.
///
/// Owners of the properties: [any] every thread, at any time; [turn] the thread that has the call's turn,
/// or has just begun or ended it; [queue] whoever holds the queue in which the slot rests.
final class CallSlot: Sendable {
    let index: Int
    nonisolated(unsafe) let block: UnsafeMutablePointer<EXTENSION_CONTROL_BLOCK>
    // because blocks are never freed, and this one is the call's: [turn]
    /// A `CallLife`.
    private let life = Atomic<UInt64>(CallLife(atRest: 1).word)  // [any]
    private let gate = Gate()  // [any]
    /// Nanoseconds, see `Instant`, until which HttpExtensionProc is to have returned.
    private let due = Atomic<Int64>(.max)  // [any]
    nonisolated(unsafe) private var strings = ReusedMemory()  // [turn]
    // because only a call that begins writes it, and a slot has one call at a time.
    nonisolated(unsafe) private var current: Current?  // [turn]
    // because the turn goes from thread to thread through `life`, which orders all that was done in it.
    nonisolated(unsafe) var next: Unmanaged<CallSlot>?  // [queue]
    // because a slot is in one queue at a time, and a queue has one owner at a time.

    /// What belongs to the current call alone. Nobody who borrows it counts a reference.
    private struct Current: ~Copyable {
        let exchange: any ExtensionExchange
        let call: UnsafeMutablePointer<Call>
        let tag: UInt32
    }

    typealias Callback = (inout Call, any ExtensionExchange) -> UInt32

    /// Seconds a callback waits for another thread's callback of the same call to be over.
    private static let patience = 60.0

    init(index: Int, block: UnsafeMutablePointer<EXTENSION_CONTROL_BLOCK>) {
        self.index = index
        self.block = block
    }

    /// The generation of the slot's current call, or of its next one.
    var generation: UInt64 { CallLife(word: life.load(ordering: .acquiring)).generation }

    /// Fills in the control block; the call is open from now on, under the generation given back, and the thread
    /// is in the code of the extension of that tag as far as records of faults are concerned.
    func begin(
        _ exchange: any ExtensionExchange, _ call: UnsafeMutablePointer<Call>, _ tag: UInt32,
        until due: Instant
    ) -> UInt64 {
        var life = CallLife(word: self.life.load(ordering: .acquiring))
        current = Current(exchange: exchange, call: call, tag: tag)
        self.due.store(due.nanoseconds, ordering: .relaxed)
        block.initialize(to: ControlBlock.template)
        block.pointee.ConnID = Handle.make(index: index, generation: life.generation)
        call.pointee.begin(exchange, block, &strings, tag)
        life.begin()
        self.life.store(life.word, ordering: .releasing)
        return life.generation
    }

    /// What the return of HttpExtensionProc comes to.
    private enum Return {
        case ends(CallLife.Ending)
        case goesOn
        /// It was too late: another thread has ended the call.
        case isWrittenOff
    }

    /// HttpExtensionProc has returned. Nil: the calling thread was written off, and nothing is its own any more.
    func returned(
        _ generation: UInt64, _ status: UInt32, _ whenPending: (PendingCall) -> Void
    ) -> CallOutcome? {
        due.store(.max, ordering: .relaxed)
        let result = change { life -> Return in
            guard life.generation == generation else { return .isWrittenOff }
            return life.endReturned(status).map { .ends($0) } ?? .goesOn
        }
        switch result {
        case .isWrittenOff: return nil
        case .ends(let ending):
            finish(ending)
            return .finished
        case .goesOn:
            let pending = PendingCall(handle: Handle.bits(index: index, generation: generation))
            whenPending(pending)
            if let ending = change({ $0.becomePending(status) }) { finish(ending).complete() }
            return .pending(pending)
        }
    }

    /// Ends the call if its time is up: its thread has not come back from the extension, and never goes on when
    /// it does. The slot rests for ever, because its control block is in the hands of that thread.
    func writeOff(_ now: Instant) -> WrittenOffCall? {
        // Of a later call the deadline is another one: it is stored before that call begins.
        let generation = generation
        guard due.load(ordering: .relaxed) <= now.nanoseconds,
            let ending = change({ $0.writeOff(generation) }), let ended = current.take()
        else { return nil }
        due.store(.max, ordering: .relaxed)
        let exchange = ended.exchange
        let call = WrittenOffCall(tag: ended.tag, request: exchange.request.line)
        ended.call.pointee.finish(ending, exchange, block)
        exchange.handlerWasWrittenOff()
        return call
    }

    /// Runs one callback, in the call's turn; its result is an ERROR_ number, 0 for success.
    func perform(_ generation: UInt64, _ body: Callback) -> UInt32 {
        switch change({ $0.enter(generation) }) {
        case .granted: break
        case .refused: return UInt32(ERROR_INVALID_PARAMETER)
        case .occupied:
            let code = waitForTurn(generation)
            guard code == UInt32(NO_ERROR) else { return code }
        }
        assert(CallLife(word: life.load(ordering: .relaxed)).isOccupied, "who is here has the turn")
        let code: UInt32
        switch current {
        case .some(let current): code = body(&current.call.pointee, current.exchange)
        case nil: preconditionFailure("the turn was granted, so there is a call")
        }
        let exit = change { $0.leave() }
        if exit.wakesWaiters { gate.wake() }
        if let ending = exit.ending { finish(ending).complete() }
        return code
    }

    /// HSE_REQ_DONE_WITH_SESSION. Never waits: a thread inside a callback ends the call when it is over.
    func done(_ generation: UInt64, status: UInt32) -> UInt32 {
        switch change({ $0.finish(generation, status) }) {
        case .refused: return UInt32(ERROR_INVALID_PARAMETER)
        case .noted: break
        case .ends(let ending): finish(ending).complete()
        }
        return UInt32(NO_ERROR)
    }

    /// The deadline has passed. Never waits either.
    func revoke(_ generation: UInt64) -> Bool {
        guard change({ $0.revoke(generation) }) else { return false }
        finish(.overdue).complete()
        return true
    }

    /// One step of the call's life. The step may run more than once; its last run counts.
    @inline(__always)
    private func change<Result>(_ step: (inout CallLife) -> Result) -> Result {
        var seen = life.load(ordering: .relaxed)
        while true {
            var next = CallLife(word: seen)
            let result = step(&next)
            if next.word == seen { return result }
            let (exchanged, original) = life.weakCompareExchange(
                expected: seen, desired: next.word, ordering: .acquiringAndReleasing)
            if exchanged { return result }
            seen = original
        }
    }

    /// Another thread of the extension is inside a callback of the call, perhaps waiting for the client.
    private func waitForTurn(_ generation: UInt64) -> UInt32 {
        let deadline = Instant.now.adding(seconds: Self.patience)
        while Instant.now < deadline {
            let ticket = gate.ticket
            if change({ $0.wait(generation) }) { _ = gate.wait(after: ticket, until: deadline) }
            switch change({ $0.enter(generation) }) {
            case .granted: return UInt32(NO_ERROR)
            case .refused: return UInt32(ERROR_INVALID_PARAMETER)
            case .occupied: continue
            }
        }
        return UInt32(ERROR_BUSY)
    }

    /// The call has ended, and its slot rests from now on. Gives back the exchange, which is to be told.
    @discardableResult
    private func finish(_ ending: CallLife.Ending) -> any ExtensionExchange {
        guard let ended = current.take() else {
            preconditionFailure("a call ends once, and this one has ended")
        }
        ended.call.pointee.finish(ending, ended.exchange, block)
        CallTable.shared.release(self, ended.call)
        return ended.exchange
    }
}
