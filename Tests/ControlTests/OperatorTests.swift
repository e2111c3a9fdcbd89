// What operators ask and hear, as text.
// SPDX-License-Identifier: Apache-2.0

import Control
import Testing

struct OperatorTests {
    private static let requests: [OperatorRequest] = [
        .who, .status(json: false), .status(json: true), .crashes(json: false),
        .crashes(json: true), .reload, .recycle(pool: nil), .recycle(pool: "a.b-c"), .stop,
        .quarantine("a.b-c"), .release("x"),
    ]

    @Test(arguments: requests)
    func aRequestSurvivesTheWayThroughItsLine(_ request: OperatorRequest) {
        #expect(OperatorRequest(line: String(request.line.dropLast())) == request)
    }

    @Test(arguments: [
        "", " ", "status  json", "status json json", "STOP", "stop now", "quarantine",
    ])
    func whatNobodyAsksIsNoRequest(_ line: String) {
        #expect(OperatorRequest(line: line) == nil)
    }

    @Test func anAnswerSurvivesTheWayThroughItsText() {
        for answer in [OperatorAnswer("a\nb\n"), OperatorAnswer(isGood: false, "")] {
            #expect(OperatorAnswer(written: answer.written) == answer)
        }
        #expect(OperatorAnswer(written: "maybe\n") == nil && OperatorAnswer(written: "ok") == nil)
    }

    @Test func everyTextIsValidJSON() {
        let value = JSONValue.object([
            ("a\"\\", .text("b\n\t\u{0}\u{7f}\u{e4}\u{1F600}")), ("n", .number(-1)),
            ("f", .bool(true)),
            ("l", .texts(["x", ""])), ("o", .optional(nil)),
        ])
        #expect(
            value.written
                == #"{"a\"\\": "b\n\u0009\u0000\u007f\#u{e4}\#u{1F600}", "n": -1, "f": true, "l": ["x", ""], "o": null}"#
        )
    }
}
