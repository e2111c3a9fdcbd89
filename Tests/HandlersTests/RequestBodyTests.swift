// Request bodies in memory and in a file: the same bytes from either, whatever happens on the way.
// SPDX-License-Identifier: Apache-2.0

import Exchange
import Handlers
import Platform
import Testing

@Suite struct RequestBodyTests {
    private let exchange: Exchange

    init() throws { exchange = try Wire().exchange }

    /// Announces a body and receives so much of it.
    private func receive(
        _ bytes: [UInt8], announced: Int? = nil, by size: Int = .max, _ limits: RequestBody.Limits
    ) throws -> RequestBody.Receipt {
        exchange.body.begin(
            announced.map { .length(left: Int64($0)) } ?? .lastChunk(ChunkedDecoder()))
        var receipt = RequestBody.Receipt.incomplete
        for start in stride(from: 0, to: max(1, bytes.count), by: min(size, max(1, bytes.count))) {
            var taken = 0
            let part = Array(bytes[start..<min(bytes.count, start + min(size, bytes.count))])
            receipt = part.withUnsafeBytes { exchange.body.receive($0, taken: &taken, limits) }
        }
        return receipt
    }

    private func readAll(by size: Int) -> [UInt8] {
        var all: [UInt8] = []
        var room = [UInt8](repeating: 0, count: size)
        while true {
            let count = room.withUnsafeMutableBytes { exchange.body.read(into: $0) }
            if count <= 0 { return all }
            all += room[..<count]
        }
    }

    @Test(arguments: [(1, false), (99, false), (100, false), (101, true), (5000, true)])
    func aBodyIsInMemoryUpToTheLimit(size: Int, isSpooled: Bool) throws {
        let bytes = (0..<size).map { UInt8(truncatingIfNeeded: $0) }
        let receipt = try receive(bytes, announced: size, by: 33, Wire.limits(memory: 100))
        #expect(receipt == .complete)
        #expect(exchange.body.length == Int64(size))
        #expect((exchange.body.file != nil) == isSpooled)
        #expect(exchange.body.memory == (isSpooled ? [] : bytes))
        #expect(readAll(by: 7) == bytes)
        #expect(readAll(by: 7).isEmpty)
        if let file = exchange.body.file {
            #expect(try Files.status(file).size == Int64(size))
        }
    }

    @Test func chunksAreTakenOffAndTheirSumIsBounded() throws {
        let text = Array("3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n".utf8)
        #expect(try receive(text, by: 2, Wire.limits(memory: 100)) == .complete)
        #expect(readAll(by: 3) == Array("abcdefg".utf8))
        exchange.body.reset()
        #expect(
            try receive(text, Wire.limits(total: 6, memory: 100)) == .refused(status: 413))
        exchange.body.reset()
        #expect(try receive(Array("x\r\n".utf8), Wire.limits(memory: 9)) == .refused(status: 400))
    }

    @Test func theNextBodyBeginsEmptyAndInMemory() throws {
        _ = try receive(
            [UInt8](repeating: 1, count: 200), announced: 200, Wire.limits(memory: 100))
        _ = readAll(by: 50)
        exchange.body.reset()
        #expect(exchange.body.length == 0 && exchange.body.file == nil)
        _ = try receive([1, 2, 3], announced: 3, Wire.limits(memory: 100))
        #expect(readAll(by: 2) == [1, 2, 3])
    }

    @Test func aFileThatWasTruncatedEndsTheBody() throws {
        _ = try receive(
            [UInt8](repeating: 1, count: 200), announced: 200, Wire.limits(memory: 100))
        let file = exchange.body.file
        let number = try #require(file)
        // Opened anew by its name in /proc, for there is no other.
        _ = try Files.open("/proc/self/fd/\(number)", [.writeOnly, .truncate])
        #expect(readAll(by: 50).isEmpty)
    }

    /// Fault 5: what a body left when its folder was full was read by the next request.
    @Test func nothingOfABodyThatCouldNotBeKeptReachesTheNextRequest() throws {
        let receipt = try receive(
            [7, 7, 7, 7], announced: 4, by: 2, Wire.limits(memory: 3, folder: "/nowhere"))
        guard case .unkept = receipt else {
            Issue.record("a folder that does not exist keeps nothing: \(receipt)")
            return
        }
        exchange.body.reset()
        #expect(exchange.body.memory.isEmpty && exchange.body.length == 0)
        _ = try receive([1, 2], announced: 2, Wire.limits(memory: 3))
        #expect(readAll(by: 9) == [1, 2])
    }

    @Test func allBodiesInFilesTogetherHaveABoundAndGiveItBack() throws {
        let limits = Wire.limits(memory: 10, spool: 150)
        let bytes = [UInt8](repeating: 1, count: 100)
        #expect(try receive(bytes, announced: 100, limits) == .complete)
        #expect(limits.spool.charged == 100)
        let other = try RequestBodyTests()
        #expect(try other.receive(bytes, announced: 100, limits) == .refused(status: 507))
        other.exchange.body.reset()
        #expect(limits.spool.charged == 100)
        exchange.body.reset()
        #expect(limits.spool.charged == 0)
        #expect(try other.receive(bytes, announced: 100, limits) == .complete)
    }
}
