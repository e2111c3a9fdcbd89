// Responses as their bytes arrive: framing, bodies that lie about their length, slow and vanished clients.
// SPDX-License-Identifier: Apache-2.0

import Exchange
import Handlers
import Platform
import Testing

/// An exchange and the client's end of its connection. The client reads when it is told to.
private final class Wire {
    let exchange: Exchange
    private let owner = NoOwner()
    private let near: Int32
    private let far: Int32
    private(set) var received: [UInt8] = []

    init(
        _ request: String = "GET / HTTP/1.1", buffer: Int = 1 << 20, sendTimeout: Double = 20
    ) throws {
        let log = ErrorLog()
        log.open(path: "/dev/null")
        exchange = Exchange(
            limits: ExchangeLimits(responseBuffer: buffer, sendTimeout: sendTimeout), errorLog: log)
        (near, far) = try Socket.pair()
        Files.setNonBlocking(near)
        exchange.begin(owner: owner, socket: near, remote: .unix(""), local: .unix(""))
        var parser = RequestParser()
        let bytes = Array("\(request)\r\nHost: x\r\n\r\n".utf8)
        _ = try parser.parse(bytes.span, into: exchange.request)
    }

    deinit {
        exchange.end()
        closeDescriptor(near)
        closeDescriptor(far)
    }

    func write(_ text: String) -> Bool { write(Array(text.utf8)) }
    func write(_ bytes: [UInt8]) -> Bool { bytes.withUnsafeBytes { exchange.write($0) } }

    func head(_ status: Int = 200, length: Int64? = nil) -> Bool {
        var head = ResponseHead()
        head.status = status
        head.contentLength = length
        return exchange.sendHead(head)
    }

    /// Ends the exchange and gives all that the client got, as text.
    func finish() -> String {
        exchange.finish()
        return flush()
    }

    func flush() -> String {
        while exchange.flush() == .blocked { read() }
        read()
        return String(decoding: received, as: UTF8.self)
    }

    func read() {
        var room = [UInt8](repeating: 0, count: 65536)
        while case .bytes(let count) = room.withUnsafeMutableBytes({
            Socket.receive(far, into: $0, dontWait: true)
        }) { received += room[..<count] }
    }

    /// Reads slowly on a thread of its own until the server's side ends.
    func readSlowly() -> Background<[UInt8]> {
        let far = far
        return Background {
            var all: [UInt8] = []
            var room = [UInt8](repeating: 0, count: 10_000)
            while true {
                guard
                    case .bytes(let got) = room.withUnsafeMutableBytes({
                        Socket.receive(far, into: $0)
                    })
                else { break }
                all += room[..<got]
                Thread.sleep(milliseconds: 1)
            }
            return all
        }
    }

    func leave() { Socket.shutdownBoth(far) }

    /// Sends what is left, and nothing after it.
    func end() {
        while exchange.flush() == .blocked { Thread.sleep(milliseconds: 1) }
        Socket.shutdownWrite(near)
    }

    func spooled(_ size: Int) throws -> Descriptor {
        let file = try Files.open("/tmp", [.readWrite, .unnamed])
        let bytes = (0..<size).map { UInt8(truncatingIfNeeded: $0 / 7) }
        try bytes.withUnsafeBytes { try Files.writeAll(file.number, $0) }
        return file
    }
}

@Suite(.timeLimit(.minutes(2))) struct ExchangeTests {
    @Test func aKnownLengthIsSaidAndTheBodyFollowsAsItIs() throws {
        let wire = try Wire()
        #expect(wire.head(length: 5) && wire.write("he") && wire.write("llo"))
        let text = wire.finish()
        #expect(text.hasPrefix("HTTP/1.1 200 OK\r\n"))
        #expect(text.contains("\r\nContent-Length: 5\r\n"))
        #expect(!text.contains("Transfer-Encoding") && !text.contains("Connection"))
        #expect(text.hasSuffix("\r\n\r\nhello"))
        #expect(wire.exchange.keepsConnectionAfter && !wire.exchange.isCut)
    }

    @Test func anUnknownLengthIsSentInChunks() throws {
        let wire = try Wire()
        #expect(wire.head() && wire.write("he") && wire.write("") && wire.write("llo, this is me"))
        let text = wire.finish()
        #expect(
            text.contains("\r\nTransfer-Encoding: chunked\r\n") && !text.contains("Content-Length"))
        #expect(text.hasSuffix("\r\n\r\n2\r\nhe\r\nf\r\nllo, this is me\r\n0\r\n\r\n"))
        #expect(wire.exchange.keepsConnectionAfter)
    }

    @Test func anUnknownLengthEndsWithTheConnectionInHTTP10() throws {
        let wire = try Wire("GET / HTTP/1.0")
        #expect(wire.head() && wire.write("hello"))
        let text = wire.finish()
        #expect(!text.contains("Transfer-Encoding") && !text.contains("Content-Length"))
        #expect(text.contains("\r\nConnection: close\r\n") && text.hasSuffix("\r\n\r\nhello"))
        #expect(!wire.exchange.keepsConnectionAfter)
    }

    @Test(arguments: [
        ("HEAD / HTTP/1.1", 200, true), ("GET / HTTP/1.1", 304, true),
        ("GET / HTTP/1.1", 204, false),
    ])
    func aResponseWithoutABodyNeverHasOne(request: String, status: Int, saysLength: Bool) throws {
        let wire = try Wire(request)
        #expect(wire.head(status, length: 5) && wire.write("hello"))
        let text = wire.finish()
        #expect(text.hasSuffix("\r\n\r\n"))
        #expect(text.contains("Content-Length: 5") == saysLength)
        #expect(!text.contains("Transfer-Encoding"))
        #expect(wire.exchange.keepsConnectionAfter && !wire.exchange.isCut)
    }

    @Test(arguments: ["HEAD / HTTP/1.1", "HEAD / HTTP/1.0"])
    func aHeadRequestWithoutALengthIsNotChunked(request: String) throws {
        let wire = try Wire(request)
        #expect(wire.head() && wire.write("hello"))
        let text = wire.finish()
        #expect(text.hasSuffix("\r\n\r\n") && !text.contains("Transfer-Encoding"))
    }

    @Test func moreThanTheLengthIsDroppedAndTheConnectionCloses() throws {
        let wire = try Wire()
        #expect(wire.head(length: 5) && wire.write("hello HTTP/1.1 200 evil") && wire.write("more"))
        #expect(wire.finish().hasSuffix("\r\n\r\nhello"))
        #expect(!wire.exchange.keepsConnectionAfter && !wire.exchange.isCut)
        #expect(wire.exchange.bodyBytes == 5)
    }

    @Test func lessThanTheLengthCutsTheConnection() throws {
        let wire = try Wire()
        #expect(wire.head(length: 5) && wire.write("hell"))
        #expect(wire.finish().hasSuffix("\r\n\r\nhell"))
        #expect(wire.exchange.isCut)
    }

    @Test func aFailureAfterTheHeadCutsAndWritesNoEndOfChunks() throws {
        let wire = try Wire()
        #expect(wire.head() && wire.write("hell"))
        wire.exchange.fail(status: 502, reason: "a test")
        #expect(wire.finish().hasSuffix("4\r\nhell\r\n"))
        #expect(wire.exchange.isCut)
    }

    @Test func aHandlerThatSaysNothingIsA500() throws {
        let wire = try Wire()
        let text = wire.finish()
        #expect(text.hasPrefix("HTTP/1.1 500 ") && !wire.exchange.isCut)
    }

    @Test(arguments: [0, 1, 16 * 1024 - 1, 16 * 1024, 300_000])
    func aClientSlowerThanTheBufferGetsEveryByte(piece: Int) throws {
        let size = 3_000_000
        let wire = try Wire("GET / HTTP/1.0", buffer: 100_000)
        let body = (0..<size).map { UInt8(truncatingIfNeeded: $0 / 11) }
        #expect(wire.head(length: Int64(size)))
        let client = wire.readSlowly()
        var sent = 0
        while sent < size {
            let count = min(size - sent, max(piece, sent % 5000 + 1))
            #expect(wire.write(Array(body[sent..<sent + count])))
            sent += count
        }
        wire.exchange.finish()
        wire.end()
        let bytes = client.value
        #expect(bytes.suffix(size).elementsEqual(body))
    }

    @Test func aClientThatReadsNothingEndsItsResponse() throws {
        let wire = try Wire(buffer: 10_000, sendTimeout: 0.1)
        let piece = [UInt8](repeating: 1, count: 60_000)
        #expect(wire.head())
        var pieces = 0
        while pieces < 1000, wire.write(piece) { pieces += 1 }
        #expect(pieces < 1000)
        #expect(wire.exchange.flush() == .everything || wire.exchange.isBroken)
        #expect(!wire.write(piece))
        wire.exchange.finish()
        #expect(wire.exchange.isBroken)
    }

    @Test func aClientThatIsGoneIsNoticed() throws {
        let wire = try Wire()
        #expect(wire.exchange.isConnected)
        wire.leave()
        #expect(!wire.exchange.isConnected)
        #expect(wire.head())
        var pieces = 0
        while pieces < 100, wire.write([UInt8](repeating: 1, count: 20_000)) { pieces += 1 }
        #expect(pieces < 2)
        wire.exchange.finish()
        #expect(wire.exchange.flush() != .blocked)
    }

    @Test func aFileFollowsWhatWasWritten() throws {
        let wire = try Wire()
        #expect(wire.head(length: 2 + 300_000 + 3))
        #expect(wire.write("ab"))
        #expect(wire.exchange.sendFile(try wire.spooled(400_000), offset: 50_000, count: 300_000))
        let client = wire.readSlowly()
        #expect(wire.write("end"))
        wire.exchange.finish()
        wire.end()
        let bytes = client.value
        #expect(String(decoding: bytes.suffix(3), as: UTF8.self) == "end")
        let start = bytes.count - 3 - 300_000
        #expect(String(decoding: bytes[(start - 2)..<start], as: UTF8.self) == "ab")
        let expected = (50_000..<350_000).map { UInt8(truncatingIfNeeded: $0 / 7) }
        #expect(Array(bytes[start..<start + 300_000]) == expected)
        #expect(!wire.exchange.isCut && wire.exchange.keepsConnectionAfter)
    }

    @Test func aFileThatWasTruncatedCutsTheConnection() throws {
        let wire = try Wire()
        #expect(wire.head(length: 1000))
        #expect(wire.exchange.sendFile(try wire.spooled(600), offset: 0, count: 1000))
        wire.exchange.finish()
        _ = wire.flush()
        #expect(wire.exchange.isCut)
    }

    @Test func aFileLongerThanTheLengthIsSentUpToIt() throws {
        let wire = try Wire()
        #expect(wire.head(length: 10))
        #expect(wire.exchange.sendFile(try wire.spooled(600), offset: 0, count: 600))
        let text = wire.finish()
        #expect(text.utf8.suffix(10).allSatisfy { $0 < 2 } && !wire.exchange.isCut)
    }

    @Test func aFileIsNotSentInAnswerToHead() throws {
        let wire = try Wire("HEAD / HTTP/1.1")
        #expect(wire.head(length: 600))
        #expect(wire.exchange.sendFile(try wire.spooled(600), offset: 0, count: 600))
        #expect(wire.finish().hasSuffix("\r\n\r\n"))
    }

    @Test func theNextExchangeOnTheConnectionInheritsNothing() throws {
        let wire = try Wire()
        #expect(wire.head(length: 1) && wire.write("xyz"))
        _ = wire.finish()
        wire.exchange.reset()
        #expect(wire.exchange.keepsConnectionAfter && !wire.exchange.headSent)
        #expect(wire.head(404, length: 2) && wire.write("no"))
        #expect(wire.finish().hasSuffix("\r\n\r\nno"))
        #expect(wire.exchange.status == 404 && wire.exchange.bodyBytes == 2)
    }
}
