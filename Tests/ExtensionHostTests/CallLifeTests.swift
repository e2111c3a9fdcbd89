// What comes of every event in every state of a call, without threads.
// SPDX-License-Identifier: Apache-2.0

import CISAPI
import Testing

@testable import ExtensionHost

struct CallLifeTests {
    private static let pending = UInt32(HSE_STATUS_PENDING)
    private static let success = UInt32(HSE_STATUS_SUCCESS)
    private static let failure = UInt32(HSE_STATUS_ERROR)

    private static func running(_ generation: UInt64 = 7) -> Life {
        let life = Life(generation)
        life.begin()
        return life
    }

    private static func waiting() -> Life {
        let life = running()
        #expect(life.becomePending(pending) == nil)
        return life
    }

    /// The value in a box: an expectation cannot call what changes its operand.
    private final class Life {
        var value: CallLife

        init(_ generation: UInt64) { value = CallLife(atRest: generation) }

        func begin() { value.begin() }
        func enter(_ generation: UInt64) -> CallLife.Entry { value.enter(generation) }
        func wait(_ generation: UInt64) -> Bool { value.wait(generation) }
        func leave() -> CallLife.Exit { value.leave() }
        func finish(_ generation: UInt64, _ status: UInt32) -> CallLife.Done {
            value.finish(generation, status)
        }
        func revoke(_ generation: UInt64) -> Bool { value.revoke(generation) }
        func endReturned(_ status: UInt32) -> CallLife.Ending? { value.endReturned(status) }
        func becomePending(_ status: UInt32) -> CallLife.Ending? { value.becomePending(status) }
    }

    @Test func aSlotAtRestAnswersNobody() {
        let life = Life(7)
        for generation: UInt64 in [0, 6, 7, 8] {
            #expect(life.enter(generation) == .refused)
            #expect(life.finish(generation, Self.success) == .refused)
            #expect(!life.revoke(generation) && !life.wait(generation))
        }
        #expect(life.value == CallLife(atRest: 7))
    }

    @Test func onlyTheCallsOwnGenerationIsAnswered() {
        let life = Self.running(7)
        #expect(life.enter(6) == .refused && life.enter(8) == .refused)
        #expect(life.enter(7) == .granted)
    }

    @Test func oneThreadAtATimeHasTheTurn() {
        let life = Self.running()
        #expect(life.enter(7) == .granted && life.enter(7) == .occupied)
        #expect(life.leave() == CallLife.Exit())
        #expect(!life.wait(7))
        #expect(life.enter(7) == .granted && life.wait(7))
        #expect(life.leave() == CallLife.Exit(ending: nil, wakesWaiters: true))
        #expect(life.value == Self.running().value)
    }

    @Test func aReturnEndsTheCallAndItsHandle() {
        let life = Self.running()
        #expect(life.endReturned(77) == .ended(77))
        #expect(life.value == CallLife(atRest: 8))
    }

    @Test func aReturnWhileAnotherThreadIsInsideLeavesTheEndToThatThread() {
        let life = Self.running()
        #expect(life.enter(7) == .granted)
        #expect(life.endReturned(Self.failure) == nil)
        #expect(life.becomePending(Self.failure) == nil)
        #expect(life.enter(7) == .refused)
        #expect(life.leave() == CallLife.Exit(ending: .ended(Self.failure)))
        #expect(life.value == CallLife(atRest: 8))
    }

    @Test func doneBeforeTheReturnCountsWhateverIsReturned() {
        for status in [Self.pending, Self.success, Self.failure] {
            let life = Self.running()
            #expect(life.finish(7, Self.failure) == .noted)
            #expect(life.finish(7, Self.success) == .refused)
            #expect(life.enter(7) == .refused)
            #expect(life.endReturned(status) == .ended(Self.failure))
        }
    }

    @Test func doneBetweenTheReturnAndPendingIsCarriedOutByTheReturningThread() {
        let life = Self.running()
        #expect(life.endReturned(Self.pending) == nil)
        #expect(life.finish(7, Self.success) == .noted)
        #expect(life.becomePending(Self.pending) == .ended(Self.success))
        #expect(life.value == CallLife(atRest: 8))
    }

    @Test func doneEndsAPendingCallAtOnce() {
        let life = Self.waiting()
        #expect(life.finish(7, Self.success) == .ends(.ended(Self.success)))
        #expect(life.finish(7, Self.success) == .refused)
        #expect(life.value == CallLife(atRest: 8))
    }

    @Test func doneWhileAnotherThreadIsInsideIsCarriedOutByThatThread() {
        let life = Self.waiting()
        #expect(life.enter(7) == .granted)
        #expect(life.finish(7, Self.success) == .noted)
        #expect(!life.revoke(7))
        #expect(life.leave() == CallLife.Exit(ending: .ended(Self.success)))
    }

    @Test func aDeadlineEndsAPendingCallOnceAndForAll() {
        let life = Self.waiting()
        #expect(life.revoke(7) && !life.revoke(7))
        #expect(life.value == CallLife(atRest: 8))
    }

    @Test func aDeadlineWhileAThreadIsInsideIsCarriedOutByThatThread() {
        let life = Self.waiting()
        #expect(life.enter(7) == .granted && life.wait(7))
        #expect(!life.revoke(7))
        #expect(life.finish(7, Self.success) == .refused && life.enter(7) == .refused)
        #expect(life.leave() == CallLife.Exit(ending: .overdue, wakesWaiters: true))
    }

    @Test func aDeadlineThatPassesBeforeTheCallIsPendingEndsIt() {
        let life = Self.running()
        #expect(!life.revoke(7))
        #expect(life.becomePending(Self.pending) == .overdue)
        let other = Self.running()
        #expect(other.enter(7) == .granted && !other.revoke(7))
        #expect(other.becomePending(Self.success) == nil)
        #expect(other.leave() == CallLife.Exit(ending: .overdue))
    }

    @Test func generationsBeginAnewAfterTheLast() {
        let life = Self.running(CallLife.generationMask)
        #expect(life.endReturned(Self.success) == .ended(Self.success))
        #expect(life.value == CallLife(atRest: 0))
    }
}
