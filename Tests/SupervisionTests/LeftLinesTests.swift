// A dead host's last lines reach their file, or somebody hears that they are lost.
// SPDX-License-Identifier: Apache-2.0

import Platform
import Testing

@testable import Supervision

@Suite struct LeftLinesTests {
    private let lines = Array("one\ntwo\n".utf8)

    /// In front of a pipe that is full, as a log's whose reader is busy.
    private func makeLeft(_ lines: [UInt8], pipe: Int32) throws -> LeftLines {
        let log = try LogFile(Descriptor(owning: pipe))
        let page = [UInt8](repeating: 0x2e, count: 4096)
        while case .bytes = page.withUnsafeBytes({ log.write($0) }) {}
        return LeftLines(lines, file: log, now: .init(nanoseconds: 0))
    }

    @Test func aReaderThatIsBusyGetsThemLater() throws {
        let pipe = try Files.pipe()
        defer { closeDescriptor(pipe.read) }
        let left = try makeLeft(lines, pipe: pipe.write)
        #expect(left.write(.init(nanoseconds: 0)) == .later)
        var received: [UInt8] = []
        withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 16) { room in
            while left.write(.init(nanoseconds: 0)) != .written {
                if case .bytes(let count) = Files.readPipe(pipe.read, into: room) {
                    received.append(contentsOf: room[..<count])
                }
            }
            while received.suffix(lines.count) != lines[...],
                case .bytes(let count) = Files.readPipe(pipe.read, into: room)
            {
                received.append(contentsOf: room[..<count])
            }
        }
        #expect(received.suffix(lines.count) == lines[...])
    }

    @Test func aReaderThatHasStoppedGetsThemNoMoreAndTheyAreCounted() throws {
        let pipe = try Files.pipe()
        defer { closeDescriptor(pipe.read) }
        let left = try makeLeft(lines, pipe: pipe.write)
        #expect(left.write(.init(nanoseconds: 4_900_000_000)) == .later)
        #expect(left.write(.init(nanoseconds: 5_000_000_000)) == .failed(lines: 2))
    }

    @Test func aSlowReaderIsNotTakenForOneThatHasStoppedButNotWaitedForWithoutEnd() throws {
        let pipe = try Files.pipe()
        defer { closeDescriptor(pipe.read) }
        let page = [UInt8](repeating: UInt8(ascii: "a"), count: 4095) + [UInt8(ascii: "\n")]
        let left = try makeLeft((0..<100).flatMap { _ in page }, pipe: pipe.write)
        withUnsafeTemporaryAllocation(byteCount: page.count, alignment: 16) { room in
            for second in stride(from: Int64(4), to: 30, by: 4) {
                #expect(Files.readPipe(pipe.read, into: room) == .bytes(page.count))
                #expect(left.write(.init(nanoseconds: second * 1_000_000_000)) == .later)
            }
        }
        #expect(left.write(.init(nanoseconds: 30_000_000_000)) == .failed(lines: 93))
    }
}
