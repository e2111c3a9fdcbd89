// Request bodies in memory and in a file: the same bytes from either.
// SPDX-License-Identifier: Apache-2.0

import Exchange
import Handlers
import Platform
import Testing

@Suite struct RequestBodyTests {
    private let exchange = Exchange(
        limits: ExchangeLimits(responseBuffer: 1, sendTimeout: 1), errorLog: ErrorLog())

    private func append(_ bytes: [UInt8], limit: Int) throws {
        try bytes.withUnsafeBytes {
            try exchange.body.append($0, memoryLimit: limit, folder: "/tmp")
        }
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

    @Test(arguments: [(0, false), (99, false), (100, false), (101, true), (5000, true)])
    func aBodyIsInMemoryUpToTheLimit(size: Int, isSpooled: Bool) throws {
        let bytes = (0..<size).map { UInt8(truncatingIfNeeded: $0) }
        for start in stride(from: 0, to: size, by: 33) {
            try append(Array(bytes[start..<min(size, start + 33)]), limit: 100)
        }
        #expect(exchange.body.length == Int64(size))
        #expect((exchange.body.file != nil) == isSpooled)
        #expect(exchange.body.memory == (isSpooled ? [] : bytes))
        #expect(readAll(by: 7) == bytes)
        #expect(readAll(by: 7).isEmpty)
        exchange.body.rewind()
        #expect(readAll(by: 10_000) == bytes)
        if let file = exchange.body.file {
            #expect(try Files.status(file).size == Int64(size))
        }
    }

    @Test func theNextBodyBeginsEmptyAndInMemory() throws {
        try append([UInt8](repeating: 1, count: 200), limit: 100)
        _ = readAll(by: 50)
        exchange.body.reset()
        #expect(exchange.body.length == 0 && exchange.body.file == nil)
        try append([1, 2, 3], limit: 100)
        #expect(readAll(by: 2) == [1, 2, 3])
    }

    @Test func aFileThatWasTruncatedEndsTheBody() throws {
        try append([UInt8](repeating: 1, count: 200), limit: 100)
        let file = exchange.body.file
        let number = try #require(file)
        // Opened anew by its name in /proc, for there is no other.
        _ = try Files.open("/proc/self/fd/\(number)", [.writeOnly, .truncate])
        #expect(readAll(by: 50).isEmpty)
    }

    @Test func aFolderThatDoesNotExistIsAnErrorAndLosesNothing() throws {
        try append([1, 2], limit: 3)
        #expect(throws: SystemError.self) {
            try [3, 4].withUnsafeBytes {
                try exchange.body.append($0, memoryLimit: 3, folder: "/nowhere")
            }
        }
        #expect(exchange.body.memory == [1, 2])
    }
}
