// Bodies in chunks: the grammar to the letter, and the same result however the bytes arrive.
// SPDX-License-Identifier: Apache-2.0

import Exchange
import Testing
import TestSupport

/// What became of a body in chunks.
private enum Decoded: Equatable {
    /// The body, and what follows it.
    case body([UInt8], rest: Int)
    case malformed
    case incomplete
}

private func decode(_ bytes: [UInt8], pieces: [Int] = []) -> Decoded {
    var decoder = ChunkedDecoder()
    var body: [UInt8] = []
    var start = 0
    for end in pieces + [bytes.count] {
        let piece = Array(bytes[start..<end])
        var cursor = 0
        reading: while true {
            do {
                switch try decoder.next(piece.span, &cursor) {
                case .data(let range): body += piece[range]
                case .needsMore: break reading
                case .end: return .body(body, rest: bytes.count - start - cursor)
                }
            } catch {
                return .malformed
            }
        }
        start = end
    }
    return .incomplete
}

private func decode(_ text: String) -> Decoded { decode(Array(text.utf8)) }

@Suite struct ChunkedDecoderTests {
    static let good: [(String, String, Int)] = [
        ("0\r\n\r\n", "", 0), ("5\r\nhello\r\n0\r\n\r\n", "hello", 0), ("0\r\n\r\nGET /", "", 5),
        ("a\r\n0123456789\r\n000\r\n\r\n", "0123456789", 0),
        ("A\r\n0123456789\r\n0\r\n\r\n", "0123456789", 0),
        ("0000000000000001\r\nx\r\n0\r\n\r\n", "x", 0), ("1;a=b\r\nx\r\n0;c\r\n\r\n", "x", 0),
        ("1;a=\"q\\\" ;\"\r\nx\r\n0\r\n\r\n", "x", 0), ("2\r\n\r\n\r\n0\r\n\r\n", "\r\n", 0),
        ("0\r\nContent-Length: 5\r\nHost: evil\r\nProxy: evil\r\n\r\nrest", "", 4),
    ]

    @Test(arguments: good)
    func aGoodBodyIsReadExactly(text: String, body: String, rest: Int) {
        #expect(decode(text) == .body(Array(body.utf8), rest: rest))
    }

    @Test(arguments: [
        "\r\n", "+1\r\nx\r\n", "-0\r\n\r\n", "0x1\r\nx\r\n", "1_0\r\n", " 1\r\nx\r\n",
        "1 \r\nx\r\n", "1\t\r\n",
        "g\r\n", "11111111111111111\r\n", "00000000000000001\r\nx\r\n", "8000000000000000\r\n",
        "ffffffffffffffff\r\n", "4000000000000000\r\n", ";a\r\n", "1\nx\r\n", "1\rx\r\n", "1\r\r\n",
    ])
    func aSizeIsHexadecimalDigitsAlone(text: String) { #expect(decode(text) == .malformed) }

    @Test(arguments: [
        "1;\r\nx\r\n", "1;;\r\nx\r\n", "1; a\r\n", "1;a\0\r\n", "1;a\rb\r\n", "1;a\nb\r\n",
        "1;a=\"b\r\n\"\r\n",
        "1;a=\"b\0\"\r\n", "1;a=\"\\\r\"\r\n",
    ])
    func anExtensionIsNamedAndHasNoControlBytes(text: String) {
        #expect(decode(text) == .malformed)
    }

    @Test(arguments: [
        "1\r\nxy\r\n0\r\n\r\n", "1\r\nx\n0\r\n\r\n", "1\r\nx0\r\n\r\n", "1\r\nx\r0\r\n\r\n",
        "1\r\nx\r\n\r\n",
        "0\r\n\n", "0\r\n\rX", "0\r\nX\r\n\r\n", "0\r\n: x\r\n\r\n", "0\r\nX : y\r\n\r\n",
        "0\r\n X: y\r\n\r\n",
        "0\r\nX: y\n\r\n", "0\r\nX: y\0\r\n\r\n",
    ])
    func dataAndTrailersEndWhereTheyMust(text: String) { #expect(decode(text) == .malformed) }

    @Test(arguments: [
        "", "5", "5\r\nhel", "5\r\nhello\r\n", "5\r\nhello\r\n0\r\n", "0\r\nA: b\r\n",
    ])
    func aBodyThatEndsEarlyIsIncomplete(text: String) { #expect(decode(text) == .incomplete) }

    @Test func trailersHaveABound() {
        let field = "X: " + String(repeating: "y", count: 997) + "\r\n"
        #expect(
            decode("0\r\n" + String(repeating: field, count: 10) + "\r\n") == .body([], rest: 0))
        let body = "ffff\r\n" + String(repeating: "z", count: 0xffff) + "\r\n"
        #expect(decode(body + "0\r\n" + String(repeating: field, count: 20) + "\r\n") == .malformed)
    }

    @Test func framingMayNotOutweighTheBodyFromSixteenKibibytesOn() {
        let long = String(repeating: "e", count: 16 * 1024 - 4)
        #expect(decode("1;\(long)ee\r\nx") == .malformed)
        #expect(
            decode(String(repeating: "1;\(String(repeating: "e", count: 90))\r\nx\r\n", count: 400))
                == .malformed)
        // One byte a chunk is five of framing.
        #expect(decode(String(repeating: "1\r\nx\r\n", count: 10_000)) == .malformed)
        let small = String(repeating: "1\r\nx\r\n", count: 3000) + "0\r\n\r\n"
        #expect(decode(small) == .body([UInt8](repeating: 0x78, count: 3000), rest: 0))
        let large = String(
            repeating: "40\r\n\(String(repeating: "x", count: 64))\r\n", count: 10_000)
        #expect(
            decode(large + "0\r\n\r\n") == .body([UInt8](repeating: 0x78, count: 640_000), rest: 0))
    }

    @Test(arguments: good.map(\.0) + ["1;\r\n", "1\r\nxy\r\n", "0\r\nX\r\n\r\n", "5\r\nhel"])
    func everySplitGivesTheSameBody(text: String) {
        let bytes = Array(text.utf8)
        let whole = decode(bytes)
        for first in 0...bytes.count {
            for second in first...bytes.count {
                #expect(decode(bytes, pieces: [first, second]) == whole)
            }
        }
        #expect(decode(bytes, pieces: Array(0...bytes.count)) == whole)
    }

    @Test func changedBytesNeverTrapAndSplitsAgree() {
        var random = SeededNumbers(seed: 99)
        for _ in 0..<20_000 {
            var bytes = Array(Self.good[random.below(Self.good.count)].0.utf8)
            for _ in 0...random.below(4) {
                let place = random.below(bytes.count)
                switch random.below(3) {
                case 0: bytes[place] = random.byte()
                case 1: bytes.insert(Array("\r\n0f;:\"\\".utf8)[random.below(8)], at: place)
                default: bytes.insert(contentsOf: Array("\r\n1\r\n".utf8), at: place)
                }
            }
            let middle = random.below(bytes.count + 1)
            #expect(decode(bytes, pieces: [middle]) == decode(bytes), "\(bytes)")
        }
    }
}
