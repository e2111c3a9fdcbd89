// What a dead host has left of its access log: each line once, and nothing that is none.
// SPDX-License-Identifier: Apache-2.0

import Control
import Platform
import Testing

@Suite final class GatheredLinesTests {
    let memory: Descriptor
    let lines: GatheredLines
    /// The host's open file, and another host's.
    let log: LogFile
    let other: LogFile

    init() throws {
        memory = try GatheredLines.makeFile()
        lines = try GatheredLines(mapping: memory)
        let folder = try PrivateFolder(prefix: "mortise-test-", in: ["/tmp"])
        let path = folder.path + "/log"
        let file = try Files.openLog(path)
        try Array("before\n".utf8).withUnsafeBytes { try Files.writeAll(file.number, $0) }
        log = try LogFile(path: path)
        other = try LogFile(path: path)
        folder.remove()
    }

    private func gather(_ text: String, ring: Int = 0) {
        _ = lines.rings[ring].append(upTo: 1024) { for byte in text.utf8 { $0.append(byte) } }
    }

    private var left: String {
        String(
            decoding: GatheredLines.left(in: memory.number, logEnds: log.end).lines, as: UTF8.self)
    }

    /// The words of a ring's header, as a host with overwritten memory would leave them.
    private func set(_ word: Int, _ value: UInt64) throws {
        try withUnsafeBytes(of: value) {
            try Files.writeAll(memory.number, $0, at: Int64(word * 8))
        }
    }

    @Test func aHostMayDieAtAnyMomentOfAWrite() throws {
        gather("one\n")
        gather("two\n", ring: 3)
        #expect(left == "one\ntwo\n")
        let ring = lines.rings[0]
        ring.willWrite(4, fileEnd: log.end)
        #expect(left == "one\ntwo\n")
        #expect(log.write(ring.waiting) == .bytes(4))
        #expect(left == "two\n")
        ring.wrote(4)
        #expect(left == "two\n")
        gather("three\n")
        #expect(left == "three\ntwo\n")
    }

    @Test func whatTheFileTookOfABatchIsNotWrittenAgain() throws {
        gather("one\ntwo\n")
        let ring = lines.rings[0]
        ring.willWrite(8, fileEnd: log.end)
        #expect(log.write(UnsafeRawBufferPointer(rebasing: ring.waiting[..<6])) == .bytes(6))
        #expect(left == "o\n")
        ring.wrote(6)
        #expect(left == "o\n")
        // It took nothing.
        ring.willWrite(2, fileEnd: log.end)
        ring.wrote(0)
        #expect(left == "o\n")
    }

    @Test func anotherHostsLinesAreNotTakenForItsOwn() throws {
        gather("one\n")
        lines.rings[0].willWrite(4, fileEnd: log.end)
        #expect(Array("other\n".utf8).withUnsafeBytes { other.write($0) } == .bytes(6))
        #expect(left == "one\n")
        #expect(log.write(lines.rings[0].waiting) == .bytes(4))
        #expect(left == "")
    }

    @Test func whatWasBeingWrittenToAPipeCountsAsWritten() throws {
        gather("one\n")
        lines.rings[0].willWrite(4, fileEnd: nil)
        gather("two\n")
        #expect(
            GatheredLines.left(in: memory.number, logEnds: nil).lines == Array("two\n".utf8))
    }

    @Test func aRingGoesRoundAndRound() throws {
        let ring = lines.rings[1]
        for number in 0..<20_000 {
            let line = "the line of number \(number) of a log that is written now and then\n"
            gather(line, ring: 1)
            if number % 100 != 99 { continue }
            #expect(left.hasSuffix(line) && left.count { $0 == "\n" } == 100)
            let count = ring.waiting.count
            ring.willWrite(count, fileEnd: log.end)
            #expect(log.write(ring.waiting) == .bytes(count))
            ring.wrote(count)
        }
    }

    @Test func linesLostAndNotToldOfAreKnownAfterDeath() throws {
        lines.countLost()
        lines.countLost()
        gather("one\n")
        #expect(
            GatheredLines.left(in: memory.number, logEnds: nil)
                == .init(lines: Array("one\n".utf8), lost: 2))
        #expect(lines.takeLost() == 2)
        #expect(GatheredLines.left(in: memory.number, logEnds: nil).lost == 0)
        // Word 11 counts them; no number is too large to be told.
        try set(11, .max)
        #expect(GatheredLines.left(in: memory.number, logEnds: nil).lost == .max)
        #expect(lines.lost == .max)
    }

    // Words 0, 8, 9: added, written, writing.
    @Test(arguments: [
        (0, UInt64.max), (0, 3), (0, 1 << 40), (8, .max), (8, 1 << 40), (9, .max), (9, 9), (9, 3),
    ])
    func numbersThatCannotBeAreRefused(word: Int, value: UInt64) throws {
        gather("one\n")
        lines.rings[0].willWrite(4, fileEnd: nil)
        lines.rings[0].wrote(4)
        gather("two\n")
        gather("fine\n", ring: 2)
        try set(word, value)
        let left = GatheredLines.left(in: memory.number, logEnds: log.end)
        #expect(left == .init(lines: Array("fine\n".utf8), isDamaged: true))
    }

    @Test func halfALineIsCutAndAFileThatWasCutHoldsNothing() throws {
        gather("one\ntw")
        #expect(
            GatheredLines.left(in: memory.number, logEnds: nil)
                == .init(lines: Array("one\n".utf8), isDamaged: true))
        let empty = try Files.memory(named: "empty")
        #expect(
            GatheredLines.left(in: empty.number, logEnds: nil)
                == .init(lines: [], isDamaged: true))
    }
}
