// The framing of response bodies.
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Exchange

@Suite struct ResponseFramingTests {
    static func head(status: Int = 200, length: Int64? = nil) -> ResponseHead {
        var head = ResponseHead()
        head.status = status
        head.contentLength = length
        return head
    }

    @Test func aBodyOfKnownLengthPassesToThatLengthAndNoFurther() {
        var framing = ResponseFraming(Self.head(length: 5), isHead: false, isHTTP10: false)
        #expect(framing.admit(3) == 3)
        #expect(framing.end() == .short(by: 2))
        #expect(framing.admit(4) == 2)
        #expect(framing.end() == .complete)
        #expect(framing.passed == 5)
    }

    @Test func aBodyWithoutLengthIsChunkedAndInHTTP10EndsWithTheConnection() {
        var framing = ResponseFraming(Self.head(), isHead: false, isHTTP10: false)
        #expect(framing.form == .chunked)
        #expect(framing.admit(7) == 7)
        #expect(framing.end() == .lastChunk)
        let old = ResponseFraming(Self.head(), isHead: false, isHTTP10: true)
        #expect(old.form == .untilClose)
        #expect(old.end() == .complete)
    }

    @Test(arguments: [(200, true), (204, false), (304, false)])
    func nothingPassesWhereNoBodyMayBe(status: Int, isHead: Bool) {
        var framing = ResponseFraming(
            Self.head(status: status, length: 9), isHead: isHead, isHTTP10: false)
        #expect(framing.admit(9) == 0)
        #expect(framing.end() == .complete)
    }

    @Test func aNegativeLengthIsNone() {
        var framing = ResponseFraming(Self.head(length: -1), isHead: false, isHTTP10: false)
        #expect(framing.admit(1) == 0)
        #expect(framing.end() == .complete)
    }
}
