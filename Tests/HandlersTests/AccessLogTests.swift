// The access log: every line once, and no request hurt by it.
// SPDX-License-Identifier: Apache-2.0

import Control
import Exchange
import Glibc
import Handlers
import Platform
import Synchronization
import Testing
import TestSupport

@Suite struct AccessLogTests {
    let folder: TemporaryFolder
    let errors = ErrorLog()

    init() throws {
        folder = try TemporaryFolder()
        errors.open(path: folder.path + "/errors")
    }

    private func makeLog(_ path: String, patience: Double = 0.1) throws -> AccessLog {
        let lines = try GatheredLines(mapping: try GatheredLines.makeFile())
        return try AccessLog(path: path, lines: lines, errors: errors, patience: patience)
    }

    private func append(_ count: Int, to log: AccessLog, path: String = "/") throws {
        let head = Array("GET \(path) HTTP/1.1\r\nHost: x\r\n\r\n".utf8)
        let request = Request()
        var parser = RequestParser()
        _ = try parser.parse(head.span, into: request)
        for _ in 0..<count {
            log.append(
                request, refused: Span(), remote: .ipv4(0x7f00_0001, port: 1), status: 200,
                bytes: 1,
                note: Span())
        }
    }

    private func lines(_ name: String) throws -> [Substring] {
        try folder.read(name).split(separator: "\n")
    }

    @Test func linesWaitForTheirBatch() throws {
        let log = try makeLog(folder.path + "/log")
        try append(3, to: log)
        #expect(try folder.read("log").isEmpty)
        log.flush()
        #expect(try lines("log").count == 3)
        #expect(try lines("log")[0].hasPrefix("127.0.0.1 - - ["))
    }

    @Test func manyThreadsWriteEveryLineOnceAndWhole() throws {
        let log = try makeLog(folder.path + "/log")
        try log.start()
        let running = Countdown(4)
        for number in 0..<4 {
            try Thread.start(named: "writer") { @Sendable in
                try? append(5000, to: log, path: "/\(number)")
                running.left.subtract(1, ordering: .releasing)
            }
        }
        while running.left.load(ordering: .acquiring) > 0 { Thread.sleep(milliseconds: 1) }
        while !log.flush() { Thread.sleep(milliseconds: 1) }
        let lines = try lines("log")
        for number in 0..<4 {
            let mine = lines.count { $0.hasSuffix("\"GET /\(number) HTTP/1.1\" 200 1 \"-\" \"-\"") }
            #expect(mine == 5000)
        }
        #expect(lines.count == 20_000 && log.lostLines == 0)
    }

    @Test func reopeningFollowsARenamedFile() throws {
        let log = try makeLog(folder.path + "/log")
        try append(1, to: log)
        folder.move("log", to: "old")
        log.reopen()
        log.flush()
        try append(2, to: log)
        log.flush()
        #expect(try lines("old").count == 1)
        #expect(try lines("log").count == 2)
    }

    /// Nobody writes: as if the disk took its time. A line waits a moment, the next ones do not.
    @Test func aSlowFileCostsLinesInBoundedMemoryAndIsToldOnce() throws {
        let log = try makeLog(folder.path + "/log")
        try append(40_000, to: log)
        let lost = log.lostLines
        #expect(lost > 0)
        log.flush()
        try append(1, to: log)
        log.flush()
        #expect(try lines("log").count == 40_001 - lost)
        #expect(try lines("errors").count == 1)
        #expect(try lines("errors")[0].hasSuffix("than they came; \(lost) lines were lost"))
    }

    @Test func aFullDiskCostsLinesInBoundedMemoryAndIsToldOnce() throws {
        let log = try makeLog("/dev/full")
        try append(40_000, to: log)
        log.flush()
        log.flush()
        #expect(log.lostLines > 0)
        #expect(try lines("errors").count == 1)
    }

    /// Twenty times what the log's memory holds, by many more turns of a pipe's 64 KiB.
    @Test func aPipeWhoseReaderGoesOnTakesEveryLine() throws {
        folder.makePipe("pipe")
        let reader = try Files.open(folder.path + "/pipe", [.readOnly, .nonBlocking])
        let log = try makeLog(folder.path + "/pipe", patience: 60)
        try log.start()
        let count = 20_000
        let path = "/" + String(repeating: "a", count: 1000)
        let writing = Countdown(1)
        try Thread.start(named: "writer") { @Sendable in
            try? append(count, to: log, path: path)
            writing.left.subtract(1, ordering: .releasing)
        }
        var received = 0
        withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 16) { room in
            while received < count {
                let ready = Socket.wait(reader.number, for: .readable, milliseconds: 60_000)
                guard ready.contains(.readable),
                    case .bytes(let size) = Files.readPipe(reader.number, into: room)
                else { break }
                received += room[..<size].count { $0 == UInt8(ascii: "\n") }
            }
        }
        while writing.left.load(ordering: .acquiring) > 0 { Thread.sleep(milliseconds: 1) }
        #expect(received == count && log.lostLines == 0)
        #expect(try lines("errors").isEmpty)
    }

    @Test func aLineLostAfterTheLastWriteIsToldByTheNext() throws {
        let lines = try GatheredLines(mapping: try GatheredLines.makeFile())
        let log = try AccessLog(path: folder.path + "/log", lines: lines, errors: errors)
        log.flush()
        lines.countLost()
        log.finish()
        #expect(log.lostLines == 0)
        #expect(try self.lines("errors")[0].hasSuffix("; 1 lines were lost"))
    }

    @Test func aStoppedReaderHoldsNobodyAndMayGoOn() throws {
        folder.makePipe("pipe")
        let reader = try Files.open(folder.path + "/pipe", [.readOnly, .nonBlocking])
        let log = try makeLog(folder.path + "/pipe")
        try append(20_000, to: log)
        log.flush()
        let lost = log.lostLines
        #expect(lost > 0)
        var received: [UInt8] = []
        withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 16) { room in
            for _ in 0..<1000 {
                let count = Glibc.read(reader.number, room.baseAddress, room.count)
                if count > 0 { received.append(contentsOf: room[..<count]) } else { log.flush() }
            }
        }
        let lines = received.split(separator: UInt8(ascii: "\n"))
        #expect(lines.count == 20_000 - lost)
        #expect(Set(lines.map { Array($0.drop { $0 != UInt8(ascii: "\"") }) }).count == 1)
        #expect(try self.lines("errors").last?.hasSuffix("; \(lost) lines were lost") == true)
    }
}

private final class Countdown: Sendable {
    let left: Atomic<Int>
    init(_ count: Int) { left = Atomic(count) }
}
