// Lines of other programs that say how bad they are.
// SPDX-License-Identifier: Apache-2.0

import Platform
import Testing

struct LogLevelTests {
    private func taken(_ text: String) -> (LogLevel, String)? {
        Array(text.utf8).withUnsafeBufferPointer { line in
            LogLevel.taken(from: line).map { ($0.level, String(decoding: $0.text, as: UTF8.self)) }
        }
    }

    @Test(arguments: [
        ("<3>it broke", LogLevel.error), ("<0>x", .error), ("<4>careful", .warning),
        ("<6>by the way", .notice),
    ])
    func aLineSaysHowBadItIs(_ line: String, _ level: LogLevel) {
        let found = taken(line)
        #expect(found?.0 == level)
        #expect(found?.1 == String(line.dropFirst(3)))
    }

    @Test(arguments: ["", "<3>", "<8>x", "<b>x", "3>x", "<33>x", " <3>x"])
    func otherLinesSayNothing(_ line: String) { #expect(taken(line) == nil) }
}
