// The life of an HTTP/1 connection as a value: phases, deadlines, and what follows a response.
// SPDX-License-Identifier: Apache-2.0

import Platform
import Testing

@testable import Server

@Suite struct HTTP1LifeTests {
    private let limits = HTTP1Life.Limits(
        head: 10, body: 60, keepAlive: 15, receive: 3600, leastRate: 240)

    private func at(_ seconds: Double) -> Instant {
        Instant(nanoseconds: 0).adding(seconds: 1000 + seconds)
    }

    private func opened() -> HTTP1Life {
        var life = HTTP1Life()
        life.open(limits, now: at(0))
        return life
    }

    private func seen(
        isCut: Bool = false, keeps: Bool = true, hasBody: Bool = false, isDrained: Bool = true,
        hasInput: Bool = false, isLeaving: Bool = false, canOffer: Bool = false
    ) -> HTTP1Life.AfterResponse {
        .init(
            isCut: isCut, keepsConnection: keeps, hasBody: hasBody, isDrained: isDrained,
            hasInput: hasInput, isLeaving: isLeaving, canOffer: canOffer)
    }

    @Test func theHeadHasOneDeadlineFromTheConnectionsBeginning() {
        var life = opened()
        #expect(life.due == at(10))
        life.headBegan(limits, now: at(3))
        #expect(life.due == at(10))
        #expect(life.expiry(now: at(9.9)) == .notYet)
        #expect(life.expiry(now: at(10)) == .timeout)
    }

    @Test func aNewConnectionThatSaysNothingIsClosedWithoutAWord() {
        #expect(opened().expiry(now: at(11)) == .close)
    }

    @Test func theSecondHeadHasItsTimeFromItsFirstByte() {
        var life = opened()
        life.headCompleted()
        life.answered()
        life.becameIdle(limits, now: at(1))
        #expect(life.due == at(16))
        #expect(life.expiry(now: at(16)) == .close)
        life.headBegan(limits, now: at(14))
        #expect(life.due == at(24))
    }

    @Test func aConnectionThatAnOlderHostHandsOverIsBetweenRequests() {
        var life = HTTP1Life()
        life.adopt(limits, now: at(1))
        #expect(life.due == at(16))
        life.headBegan(limits, now: at(14))
        #expect(life.due == at(24))
    }

    @Test func bytesOfABodyRenewItsTimeAndTheLeastRateBoundsIt() {
        var life = opened()
        life.headCompleted()
        life.bodyBegan(limits, now: at(0))
        // Five seconds of grace and one for the look, without a byte.
        #expect(life.due == at(6))
        let goesOn15 = life.bodyCame(24_000, limits, now: at(4))
        #expect(goesOn15)
        #expect(life.due == at(64))
        // 24,000 bytes are enough for a hundred seconds after the grace.
        let goesOn16 = life.bodyCame(1, limits, now: at(104))
        #expect(goesOn16)
        let goesOn17 = life.bodyCame(1, limits, now: at(106))
        #expect(!goesOn17)
    }

    @Test func aBodyMayNotTakeForEverHoweverFastItIs() {
        var life = opened()
        life.bodyBegan(limits, now: at(0))
        let goesOn18 = life.bodyCame(1 << 40, limits, now: at(3599))
        #expect(goesOn18)
        let goesOn19 = life.bodyCame(1 << 40, limits, now: at(3600))
        #expect(!goesOn19)
    }

    @Test func aHandlerHasNoDeadlineAndAPendingCallItsOwn() {
        var life = opened()
        life.headCompleted()
        life.handlerBegan()
        #expect(life.due == .never)
        life.becamePending(until: at(120))
        #expect(life.expiry(now: at(120)) == .revoke)
    }

    @Test func afterAResponseComesTheNextRequestTheCloseOrTheReset() {
        let life = opened()
        #expect(life.following(seen()) == .next)
        #expect(life.following(seen(keeps: false)) == .close)
        #expect(life.following(seen(isCut: true)) == .reset)
    }

    @Test(arguments: [(true, false, true), (false, true, true), (false, false, false)])
    func whatMayStillComeIsReadAwayBeforeTheClose(
        hasBody: Bool, hasInput: Bool, isDrained: Bool
    ) {
        let after = seen(
            keeps: false, hasBody: hasBody, isDrained: isDrained, hasInput: hasInput)
        #expect(opened().following(after) == .linger)
    }

    @Test func afterARefusedRequestAnythingMayFollow() {
        var life = opened()
        life.refused()
        #expect(life.phase == .sending && life.due == .never)
        #expect(life.following(seen(keeps: false)) == .linger)
    }

    @Test func readingAwayHasABound() {
        var life = opened()
        life.lingers(limits, now: at(0))
        #expect(life.expiry(now: at(1)) == .close)
        let goesOn20 = life.lingersOn(HTTP1Life.mostLingered)
        #expect(goesOn20)
        let goesOn21 = life.lingersOn(1)
        #expect(!goesOn21)
    }

    @Test func aLeavingHostOffersWhatIsIdleOnceAndServesWhatNobodyTakes() {
        var life = opened()
        #expect(life.following(seen(isLeaving: true, canOffer: true)) == .offer)
        #expect(life.following(seen(hasInput: true, isLeaving: true, canOffer: true)) == .next)
        #expect(life.following(seen(isLeaving: true)) == .close)
        life.offered()
        #expect(life.expiry(now: at(99)) == .notYet)
        life.returned(limits, now: at(5))
        #expect(life.phase == .idle && life.isUnwanted && life.due == at(20))
        #expect(life.following(seen(isLeaving: true, canOffer: true)) == .close)
    }
}
