// Request heads in pieces, and heads with bytes changed at random.
// SPDX-License-Identifier: Apache-2.0

import Testing
import TestSupport

@testable import Exchange

@Suite struct RequestSplitTests {
    static let samples: [String] = [
        "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        "\r\nPOST /a%20b/../c?d=e&f HTTP/1.1\r\nHost: [::1]:80\r\nContent-Length: 12\r\n"
            + "Expect: 100-continue\r\nConnection: close , x\r\n\r\nbody and more",
        "GET http://a.test:81?q HTTP/1.0\r\nConnection: keep-alive\r\nCookie: a=b\r\n\r\nGET / HTTP/1.1\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nA : b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\nA: b\r\n\r\n",
        "\rXGET / HTTP/1.1\r\nHost: x\r\n\r\n",
        "\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
        "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}\u{fc}\u{3}\u{3}", "",
    ]

    @Test(arguments: samples)
    func everySplitGivesTheSameAnswer(text: String) {
        let bytes = Array(text.utf8)
        let whole = parse(bytes)
        for first in 0...bytes.count {
            #expect(parse(bytes, seenAt: [first]) == whole, "split at \(first)")
        }
        #expect(parse(bytes, seenAt: Array(0...bytes.count)) == whole)
    }

    @Test(arguments: samples)
    func aPrefixIsIncompleteOrAnswersLikeTheWhole(text: String) {
        let bytes = Array(text.utf8)
        let whole = parse(bytes)
        for count in 0..<bytes.count {
            let part = parse(Array(bytes[..<count]))
            #expect(part == .incomplete || part == whole, "the first \(count) bytes")
        }
    }

    @Test func boundsAnswerAlikeHoweverTheBytesArrive() {
        let limits = RequestLimits(requestLine: 20, head: 60, fields: 3)
        let ends = ["\r\n", "\n", "", "\r", "\r\nHost: x\r\n\r\n", "\nHost: x\r\n\r\n"]
        for length in 0..<80 {
            for end in ends {
                for start in ["GET /", "G", "GET / HTTP/1.1\r\nHost: x\r\nA: "] {
                    let bytes = Array((start + String(repeating: "a", count: length) + end).utf8)
                    let whole = parse(bytes, limits: limits)
                    let split = parse(bytes, seenAt: Array(0...bytes.count), limits: limits)
                    #expect(split == whole, "\(start) + \(length) + \(end.debugDescription)")
                }
            }
        }
    }

    @Test func changedBytesNeverTrapAndSplitsAgree() {
        var random = SeededNumbers(seed: 2_0251)
        let samples = Self.samples.map { Array($0.utf8) }
        let limits = RequestLimits(requestLine: 60, head: 160, fields: 4)
        for round in 0..<20_000 {
            var bytes = samples[random.below(samples.count)]
            for _ in 0...random.below(4) { change(&bytes, samples, &random) }
            let chosen = round % 2 == 0 ? limits : RequestLimits()
            let whole = parse(bytes, limits: chosen)
            var pieces = (0..<3).map { _ in random.below(bytes.count + 1) }
            pieces.sort()
            let split = parse(bytes, seenAt: pieces, limits: chosen)
            #expect(split == whole, "\(bytes.debugDescription) at \(pieces)")
        }
    }

    private func change(_ bytes: inout [UInt8], _ samples: [[UInt8]], _ random: inout SeededNumbers)
    {
        let place = random.below(bytes.count + 1)
        switch random.below(6) {
        case 0: bytes.insert(random.byte(), at: place)
        case 1 where place < bytes.count: bytes.remove(at: place)
        case 2 where place < bytes.count: bytes[place] = random.byte()
        case 3:
            bytes.insert(contentsOf: Array("\r\n: /%\0\t".utf8).shuffled(using: &random), at: place)
        case 4: bytes.insert(contentsOf: samples[random.below(samples.count)], at: place)
        default: bytes.removeLast(min(bytes.count, random.below(20)))
        }
    }
}
