// A response's head, however it arrives and whatever came before it.
// SPDX-License-Identifier: Apache-2.0

import Exchange
import Testing

@testable import Handlers

struct HeadCollectorTests {
    /// Each text is one response, cut into the pieces given; gives back status and block of each.
    private func read(_ responses: [[String]]) throws -> [String] {
        var collector = HeadCollector()
        var head = ResponseHead()
        return try responses.map { pieces in
            collector.reset(&head)
            for piece in pieces {
                let bytes = Array(piece.utf8)
                if let count = try collector.append(bytes.span, .fromGateway, into: &head) {
                    let fields = String(decoding: head.block, as: UTF8.self)
                    return "\(head.status) \(fields) \(bytes.count - count)"
                }
            }
            return "incomplete"
        }
    }

    private let one = "Status: 201 Made\r\nX-A: 1\r\n\r\n"
    private let two = "X-A: 1\r\nX-B: 2\r\n\r\n"

    @Test func sameHeadAgainMeansTheSameAndItsBodyBeginsWhereItDid() throws {
        let found = try read([[one + "body"], [one + "other body"], [one]])
        #expect(found == ["201 X-A: 1\r\n 4", "201 X-A: 1\r\n 10", "201 X-A: 1\r\n 0"])
    }

    @Test func anotherHeadKeepsNothingOfTheLast() throws {
        let found = try read([[one], [two], [one], ["X-A: 1\r\n\r\n"]])
        #expect(
            found == [
                "201 X-A: 1\r\n 0", "200 X-A: 1\r\nX-B: 2\r\n 0", "201 X-A: 1\r\n 0",
                "200 X-A: 1\r\n 0",
            ])
    }

    @Test func headInPiecesAfterAKnownOneIsReadWhole() throws {
        let pieces = two.map { String($0) }
        let found = try read([[two], pieces, [two + "b"], ["X-A: 1\r\n", "\r\nbody"]])
        #expect(
            found == [
                "200 X-A: 1\r\nX-B: 2\r\n 0", "200 X-A: 1\r\nX-B: 2\r\n 0",
                "200 X-A: 1\r\nX-B: 2\r\n 1", "200 X-A: 1\r\n 4",
            ])
    }
}
