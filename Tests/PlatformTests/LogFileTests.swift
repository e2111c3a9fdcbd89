// A log's file that other processes have open too.
// SPDX-License-Identifier: Apache-2.0

import Glibc
import Platform
import Testing

@Suite(.timeLimit(.minutes(1))) struct LogFileTests {
    private let page = [UInt8](repeating: 0x2e, count: 4096)

    /// As when another process has taken the room that was there a moment ago.
    @Test func aWriteNeverWaitsForThePipesReader() throws {
        let ends = try Files.pipe()
        let reader = Descriptor(owning: ends.read)
        let pipe = Descriptor(owning: ends.write)
        let log = try LogFile(sharing: pipe.number)
        while case .bytes = page.withUnsafeBytes({ log.write($0) }) {}
        withUnsafeTemporaryAllocation(byteCount: page.count, alignment: 16) { room in
            #expect(Files.readPipe(reader.number, into: room) == .bytes(page.count))
        }
        let pages = page + page + page
        #expect(pages.withUnsafeBytes { log.write($0) } == .bytes(page.count))
        let hasRoom = log.waitForRoom(until: .now)
        #expect(!hasRoom)
        // The others' open file is in the mode they have chosen.
        #expect(fcntl(pipe.number, F_GETFL) & O_NONBLOCK == 0)
    }

    @Test func aWriteNeverWaitsForASocketsPeer() throws {
        let ends = try Socket.pair()
        let near = Descriptor(owning: ends.0)
        let far = Descriptor(owning: ends.1)
        let log = try LogFile(sharing: near.number)
        let megabyte = [UInt8](repeating: 0x2e, count: 1 << 20)
        guard case .bytes(let count) = megabyte.withUnsafeBytes({ log.write($0) }) else {
            Issue.record("it takes nothing")
            return
        }
        #expect(count < megabyte.count)
        #expect(fcntl(near.number, F_GETFL) & O_NONBLOCK == 0)
        withExtendedLifetime(far) {}
    }

    @Test func aPipeWithoutReaderSaysSo() throws {
        Signal.ignore(.pipe)
        let ends = try Files.pipe()
        closeDescriptor(ends.read)
        let pipe = Descriptor(owning: ends.write)
        let log = try LogFile(sharing: pipe.number)
        let isReady = log.waitForRoom(until: .never)
        #expect(isReady)
        #expect(page.withUnsafeBytes { log.write($0) } == .failed(EPIPE))
    }
}
