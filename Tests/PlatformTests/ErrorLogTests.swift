// The error log keeps its lines whole, whoever supplied the text.
// SPDX-License-Identifier: Apache-2.0

import Glibc
import Platform
import Testing
import TestSupport

@Suite struct ErrorLogTests {
    @Test func aLineSaysWhenHowMuchWhoAndWhat() throws {
        let folder = try TemporaryFolder()
        let log = ErrorLog()
        #expect(log.open(path: folder.path + "/log", process: "host"))
        log.log(.warning, "slow", site: "main", handler: "php", pid: 42)
        let line = try folder.read("log")
        #expect(
            line.hasSuffix("Z warning host/\(getpid()) [site main] [handler php] [pid 42]: slow\n"))
        #expect(line.count == "2026-01-31T23:59:59.123Z".count + line.drop { $0 != "Z" }.count - 1)
    }

    @Test(arguments: [
        (
            "a\r\n2026-01-01T00:00:00.000Z error forged",
            #"a\x0d\x0a2026-01-01T00:00:00.000Z error forged"#
        ),
        ("\u{1b}[2J\0\u{7f}\t", #"\x1b[2J\x00\x7f\x09"#),
        (#"\x0a"#, #"\\x0a"#),
        ("Grüße, 世界 🎉", "Grüße, 世界 🎉"),
        ("\u{85}\u{9b}2J\u{2028}\u{202e}", #"\xc2\x85\xc2\x9b2J\xe2\x80\xa8\xe2\x80\xae"#),
    ])
    func nobodyForgesALine(text: String, written: String) throws {
        let folder = try TemporaryFolder()
        let log = ErrorLog()
        log.open(path: folder.path + "/log")
        log.log(.error, text, site: "x]\n")
        #expect(try folder.read("log").hasSuffix(#"[site x]\x0a]: "# + written + "\n"))
    }

    @Test(
        arguments: [
            [0xff, 0x41], [0xc0, 0xaf], [0xe2, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80],
            [0xc3],
        ] as [[UInt8]])
    func bytesThatAreNoTextAreEscaped(bytes: [UInt8]) {
        var line: [UInt8] = []
        bytes.withUnsafeBufferPointer { _ = LogText.append($0, to: &line, limit: 100) }
        let escaped = bytes.map { $0 == 0x41 ? "A" : "\\x" + String($0, radix: 16) }.joined()
        #expect(String(decoding: line, as: UTF8.self) == escaped)
    }

    @Test func aLineIsBounded() throws {
        let folder = try TemporaryFolder()
        let log = ErrorLog()
        log.open(path: folder.path + "/log")
        log.log(.error, String(repeating: "\n", count: 1 << 20))
        log.log(.error, "next")
        let lines = try folder.read("log").split(separator: "\n")
        #expect(lines.count == 2)
        #expect(lines[0].utf8.count < ErrorLog.longestLine && lines[0].hasSuffix("..."))
    }

    @Test func reopeningFollowsARenamedFile() throws {
        let folder = try TemporaryFolder()
        let log = ErrorLog()
        log.open(path: folder.path + "/log")
        log.log(.notice, "one")
        rename(folder.path + "/log", folder.path + "/old")
        log.log(.notice, "two")
        log.reopen()
        log.log(.notice, "three")
        #expect(try folder.read("old").split(separator: "\n").count == 2)
        #expect(try folder.read("log").hasSuffix(": three\n"))
    }

    @Test func aFullDiskCostsLinesAndIsToldOnce() throws {
        let folder = try TemporaryFolder()
        let log = ErrorLog()
        log.open(path: "/dev/full")
        for _ in 0..<5 { log.log(.error, "lost") }
        #expect(log.lostLines == 5)
        log.open(path: folder.path + "/log")
        log.log(.error, "kept")
        log.log(.error, "kept")
        let lines = try folder.read("log").split(separator: "\n")
        #expect(lines.count == 3)
        #expect(lines[0].contains("5 lines of this log were lost"))
    }

    @Test func aFileThatCannotBeOpenedLeavesTheOldOneUntilItCan() throws {
        let folder = try TemporaryFolder()
        let log = ErrorLog()
        log.open(path: folder.path + "/log")
        #expect(!log.open(path: folder.path + "/missing/log"))
        log.log(.error, "still here")
        let lines = try folder.read("log").split(separator: "\n")
        #expect(lines.count == 2 && lines[0].contains("cannot be opened"))
        #expect(mkdir(folder.path + "/missing", 0o700) == 0)
        log.reopen()
        log.log(.error, "over there")
        #expect(try folder.read("missing/log").hasSuffix(": over there\n"))
    }

    @Test func aStoppedReaderOfAPipeHoldsNobody() throws {
        let folder = try TemporaryFolder()
        let pipe = folder.path + "/pipe"
        mkfifo(pipe, 0o600)
        let reader = try Files.open(pipe, [.readOnly, .nonBlocking])
        let log = ErrorLog()
        #expect(log.open(path: pipe))
        for _ in 0..<2000 { log.log(.error, String(repeating: "x", count: 200)) }
        #expect(log.lostLines > 0)
        _ = reader.number
    }

    @Test func aRateLimitPassesABurstAndThenATrickle() {
        var limit = RateLimit(burst: 3, perSecond: 1)
        let start = Instant(nanoseconds: 1_000_000_000)
        func tries(_ count: Int, after seconds: Double) -> Int {
            (0..<count).count { _ in limit.admits(at: start.adding(seconds: seconds)) }
        }
        #expect(tries(5, after: 0) == 3)
        let suppressed = [limit.takeSuppressed(), limit.takeSuppressed()]
        #expect(suppressed == [2, 0])
        #expect(tries(1, after: 0.9) == 0)
        #expect(tries(1, after: 1.1) == 1)
        #expect(tries(1, after: 0) == 0)
        #expect(tries(4, after: 60) == 3)
    }
}
