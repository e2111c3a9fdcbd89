// Lines of the access log, honest and forged.
// SPDX-License-Identifier: Apache-2.0

import Exchange
import Testing

@Suite struct AccessLogLineTests {
    private func line(
        _ head: String, refused: [UInt8] = [], note: [UInt8] = [], status: Int = 200,
        bytes: Int64 = 13, host: String = "127.0.0.1"
    ) throws -> String {
        let head = Array(head.utf8)
        let request = Request()
        var parser = RequestParser()
        _ = try parser.parse(head.span, into: request)
        var time = AccessLogLine.Time()
        time.update(971_186_136)
        let longest = AccessLogLine.longestLine
        return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: longest) { room in
            var line = OutputSpan(buffer: room, initializedCount: 0)
            AccessLogLine.append(
                request, refused: refused.span, status: status, bytes: bytes, note: note.span,
                time: time, to: &line
            ) { for byte in host.utf8 { $0.append(byte) } }
            let count = line.finalize(for: room)
            return String(decoding: room[..<count], as: UTF8.self)
        }
    }

    @Test func aRequestIsOneCombinedLine() throws {
        let head =
            "GET /a?b=c HTTP/1.1\r\nHost: x\r\nReferer: http://r/\r\nUser-Agent: Moz \"1\"\r\n\r\n"
        #expect(
            try line(head)
                == #"127.0.0.1 - - [10/Oct/2000:13:55:36 +0000] "GET /a?b=c HTTP/1.1" 200 13 "http://r/" "Moz \"1\"""#
                + "\n")
    }

    @Test func whatIsAbsentIsADash() throws {
        let written = try line("GET / HTTP/1.0\r\nReferer:\r\n\r\n", status: 304, bytes: 0)
        #expect(written.hasSuffix("\"GET / HTTP/1.0\" 304 0 \"-\" \"-\"\n"))
    }

    @Test(arguments: [
        ("", "GET /a?n HTTP/1.1"), ("?q=1", "GET /a?q=1n HTTP/1.1"), ("?", "GET /a?n HTTP/1.1"),
    ])
    func aHandlersNoteJoinsTheQuery(query: String, shown: String) throws {
        let written = try line("GET /a\(query) HTTP/1.1\r\nHost: x\r\n\r\n", note: Array("n".utf8))
        #expect(written.contains("\"\(shown)\" 200"))
    }

    @Test func aNoteCannotForgeALine() throws {
        let note = Array("\" 200 1 \"-\" \"-\"\n6.6.6.6 - - [".utf8)
        let written = try line("GET / HTTP/1.1\r\nHost: x\r\n\r\n", note: note)
        #expect(written.contains(#""GET /?\" 200 1 \"-\" \"-\"\n6.6.6.6 - - [ HTTP/1.1" 200"#))
        #expect(written.count { $0 == "\n" } == 1)
    }

    @Test(arguments: 0...255 as ClosedRange<UInt8>)
    func everyByteOfARefusedRequestIsShownHarmless(byte: UInt8) throws {
        let refused = [UInt8(ascii: "x"), byte, UInt8(ascii: "y")]
        let shown =
            switch byte {
            case 0x0a, 0x0d: "x"
            case 0x22: #"x\"y"#
            case 0x5c: #"x\\y"#
            case 0x08: #"x\by"#
            case 0x09: #"x\ty"#
            case 0x0b: #"x\vy"#
            case 0x20..<0x7f: String(decoding: refused, as: UTF8.self)
            default: "x\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16) + "y"
            }
        let written = try line(
            "GET /old HTTP/1.1\r\nHost: x\r\n\r\n", refused: refused, status: 400)
        #expect(written.hasSuffix("+0000] \"\(shown)\" 400 13 \"-\" \"-\"\n"))
    }

    /// The room that a line is given is proven, not guessed: it would be a trap.
    @Test func theLongestLineHasRoom() throws {
        let quotes = String(repeating: "\"", count: 12_000)
        let fields = "Referer: \(quotes)\r\nUser-Agent: \(quotes)\r\n"
        let head = "GET /\(quotes) HTTP/1.1\r\nHost: x\r\n\(fields)\r\n"
        let host = String(repeating: "f", count: 46)
        let bytes = [UInt8](repeating: 0xff, count: 12_000)
        let accepted = try line(head, note: bytes, status: .max, bytes: .max, host: host)
        #expect(accepted.utf8.count > 2 * 8192 + 4 * 1024 + 2 * 2 * 1024)
        let refused = try line(
            "GET / HTTP/1.1\r\nHost: x\r\n\r\n", refused: bytes, status: .max, bytes: .max,
            host: host)
        #expect(refused.utf8.count > 4 * 8192)
    }

    @Test func longFieldsAreCut() throws {
        let agent = String(repeating: "a", count: 20_000)
        let written = try line("GET / HTTP/1.1\r\nHost: x\r\nUser-Agent: \(agent)\r\n\r\n")
        #expect(written.utf8.count < 1200 && written.hasSuffix("aaa...\"\n"))
    }
}
