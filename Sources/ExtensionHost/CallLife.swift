// How far a call is, who has its turn, and what comes of an early or late caller: one word, changed whole.
// SPDX-License-Identifier: Apache-2.0

import CISAPI

// A call is open while it runs or is pending and has been neither done nor revoked. Only then does a
// callback get the turn, one at a time. Whoever ends a call passes its generation on, so that no handle of
// it is good for anything, and only then finishes the exchange.
//
//                      nobody has the turn            another thread is inside a callback
//   running, returned  ends                           becomes pending and done
//   running, done      ends when it has returned      as above, when it has returned
//   returned PENDING   becomes pending                becomes pending
//   pending, done      ends                           that thread ends it on its way out
//   pending, revoked   ends                           that thread ends it on its way out

/// The state of a slot's current call, as a value: its functions say what comes of an event, and nothing
/// in it waits.
struct CallLife: Equatable {
    /// How a call that has ended is to be finished.
    enum Ending: Equatable {
        /// With the status that HttpExtensionProc returned or HSE_REQ_DONE_WITH_SESSION told.
        case ended(UInt32)
        /// Its deadline has passed.
        case overdue
    }

    /// What a callback may do.
    enum Entry: Equatable {
        case granted
        /// Another thread has the turn.
        case occupied
        /// There is no such call, or it has ended.
        case refused
    }

    /// What giving the turn back comes to: what is left to do for the thread that leaves.
    struct Exit: Equatable {
        var ending: Ending?
        var wakesWaiters = false
    }

    /// What HSE_REQ_DONE_WITH_SESSION comes to.
    enum Done: Equatable {
        /// There is no such call, or it has ended.
        case refused
        /// Another thread ends the call: the one that has the turn, or that called HttpExtensionProc.
        case noted
        /// This thread has to finish the exchange.
        case ends(Ending)
    }

    private static let running: UInt64 = 1
    private static let pending: UInt64 = 2
    private static let occupied: UInt64 = 4
    private static let waitedFor: UInt64 = 8
    private static let done: UInt64 = 16
    private static let revoked: UInt64 = 32
    private static let statusShift: UInt64 = 8
    private static let generationShift: UInt64 = 16
    /// As many bits as a handle has for it. At a million calls a second a slot has them for 278 years.
    static let generationMask: UInt64 = 1 << 43 - 1

    private(set) var word: UInt64

    init(word: UInt64) { self.word = word }

    /// A slot between two calls: the next one will have that generation.
    init(atRest generation: UInt64) {
        word = (generation & Self.generationMask) << Self.generationShift
    }

    var generation: UInt64 { word >> Self.generationShift }
    var isOccupied: Bool { has(Self.occupied) }

    /// Whether callbacks of that generation are answered.
    func isOpen(_ generation: UInt64) -> Bool {
        self.generation == generation && has(Self.running | Self.pending)
            && !has(Self.done | Self.revoked)
    }

    mutating func begin() { word |= Self.running }

    /// A callback asks for the turn.
    mutating func enter(_ generation: UInt64) -> Entry {
        guard isOpen(generation) else { return .refused }
        guard !isOccupied else { return .occupied }
        word |= Self.occupied
        return .granted
    }

    /// A callback is about to wait for the turn. False: it need not.
    mutating func wait(_ generation: UInt64) -> Bool {
        guard isOpen(generation), isOccupied else { return false }
        word |= Self.waitedFor
        return true
    }

    /// The callback that has the turn is over.
    mutating func leave() -> Exit {
        let wakesWaiters = has(Self.waitedFor)
        word &= ~(Self.occupied | Self.waitedFor)
        return Exit(ending: endPending(), wakesWaiters: wakesWaiters)
    }

    /// HSE_REQ_DONE_WITH_SESSION.
    mutating func finish(_ generation: UInt64, _ status: UInt32) -> Done {
        guard isOpen(generation) else { return .refused }
        setDone(status)
        guard let ending = endPending() else { return .noted }
        return .ends(ending)
    }

    /// The deadline has passed. True: the call has ended, and this thread has to finish the exchange.
    mutating func revoke(_ generation: UInt64) -> Bool {
        guard isOpen(generation) else { return false }
        word |= Self.revoked
        return endPending() != nil
    }

    /// HttpExtensionProc has had its time: the call is over, and the thread that is in it is written off. Nil:
    /// there is no such call any more, or its thread is inside a callback, and comes back from there.
    mutating func writeOff(_ generation: UInt64) -> Ending? {
        guard self.generation == generation, has(Self.running), !isOccupied else { return nil }
        let ending = has(Self.done) ? Ending.ended(status) : .overdue
        passOn()
        return ending
    }

    /// HttpExtensionProc has returned; nil when the call goes on without its thread.
    mutating func endReturned(_ status: UInt32) -> Ending? {
        let goesOn = status == UInt32(HSE_STATUS_PENDING) && !has(Self.done)
        guard !goesOn, !isOccupied else { return nil }
        let ending = Ending.ended(has(Self.done) ? self.status : status)
        passOn()
        return ending
    }

    /// The call goes on without the thread that called HttpExtensionProc, unless it was ended meanwhile.
    mutating func becomePending(_ status: UInt32) -> Ending? {
        let isOver = status != UInt32(HSE_STATUS_PENDING)
        if isOver && !has(Self.done | Self.revoked) { setDone(status) }
        word = word & ~Self.running | Self.pending
        return endPending()
    }

    /// Nothing is marked after the call was done or revoked: what was said first counts.
    private mutating func endPending() -> Ending? {
        guard has(Self.pending), has(Self.done | Self.revoked), !isOccupied else { return nil }
        let ending = has(Self.done) ? Ending.ended(status) : .overdue
        passOn()
        return ending
    }

    private func has(_ flags: UInt64) -> Bool { word & flags != 0 }
    private var status: UInt32 { UInt32(word >> Self.statusShift & 0xff) }

    /// A status beyond a byte is none that is known: which one, does not matter any more.
    private mutating func setDone(_ status: UInt32) {
        word |= Self.done | UInt64(min(status, 0xff)) << Self.statusShift
    }

    private mutating func passOn() { self = CallLife(atRest: generation &+ 1) }
}
