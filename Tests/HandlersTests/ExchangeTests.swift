// Responses: framing, bodies that lie about their length, failures and vanished clients.
// SPDX-License-Identifier: Apache-2.0

import Exchange
import Handlers
import Platform
import Testing
import TestSupport

extension Wire {
    fileprivate func write(_ text: String) -> Bool {
        Array(text.utf8).withUnsafeBytes { exchange.write($0) }
    }

    fileprivate func head(_ status: Int = 200, length: Int64? = nil) -> Bool {
        var head = ResponseHead()
        head.status = status
        head.contentLength = length
        return exchange.sendHead(head)
    }

    /// Ends the exchange and gives all that the client got.
    fileprivate func finish() -> String {
        exchange.finish()
        return text
    }

    fileprivate func spooled(_ size: Int) throws -> Descriptor {
        let file = try Files.open("/tmp", [.readWrite, .unnamed])
        let bytes = (0..<size).map { UInt8(truncatingIfNeeded: $0 / 7) }
        try bytes.withUnsafeBytes { try Files.writeAll(file.number, $0) }
        return file
    }
}

@Suite struct ExchangeTests {
    @Test func aKnownLengthIsSaidAndTheBodyFollowsAsItIs() throws {
        let wire = try Wire()
        #expect(wire.head(length: 5) && wire.write("he") && wire.write("llo"))
        let text = wire.finish()
        #expect(text.hasPrefix("HTTP/1.1 200 OK\r\n"))
        #expect(text.contains("\r\nContent-Length: 5\r\n"))
        #expect(!text.contains("Transfer-Encoding") && !text.contains("Connection"))
        #expect(text.hasSuffix("\r\n\r\nhello"))
        #expect(wire.exchange.keepsConnection && !wire.exchange.isCut)
    }

    @Test func anUnknownLengthIsSentInChunks() throws {
        let wire = try Wire()
        #expect(wire.head() && wire.write("he") && wire.write("") && wire.write("llo, this is me"))
        let text = wire.finish()
        #expect(
            text.contains("\r\nTransfer-Encoding: chunked\r\n") && !text.contains("Content-Length"))
        #expect(text.hasSuffix("\r\n\r\n2\r\nhe\r\nf\r\nllo, this is me\r\n0\r\n\r\n"))
        #expect(wire.exchange.keepsConnection)
    }

    @Test func anUnknownLengthEndsWithTheConnectionInHTTP10() throws {
        let wire = try Wire("GET / HTTP/1.0")
        #expect(wire.head() && wire.write("hello"))
        let text = wire.finish()
        #expect(!text.contains("Transfer-Encoding") && !text.contains("Content-Length"))
        #expect(text.contains("\r\nConnection: close\r\n") && text.hasSuffix("\r\n\r\nhello"))
        #expect(!text.contains("keep-alive"))
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
        #expect(wire.exchange.keepsConnection && !wire.exchange.isCut)
    }

    @Test(arguments: ["HEAD / HTTP/1.1", "HEAD / HTTP/1.0"])
    func aHeadRequestWithoutALengthIsNotChunked(request: String) throws {
        let wire = try Wire(request)
        #expect(wire.head() && wire.write("hello"))
        let text = wire.finish()
        #expect(text.hasSuffix("\r\n\r\n") && !text.contains("Transfer-Encoding"))
    }

    @Test func moreThanTheLengthIsDroppedAndTheConnectionGoesOn() throws {
        let wire = try Wire()
        #expect(wire.head(length: 5) && wire.write("hello HTTP/1.1 200 evil") && wire.write("more"))
        #expect(wire.finish().hasSuffix("\r\n\r\nhello"))
        #expect(wire.exchange.keepsConnection && !wire.exchange.isCut)
        #expect(wire.exchange.framing.passed == 5)
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

    @Test func aClientThatHasLeftIsNobodysFaultAndMakesNoLine() throws {
        for failure in 0...2 {
            let folder = try TemporaryFolder()
            let log = ErrorLog()
            log.open(path: folder.path + "/error.log")
            let wire = try Wire(log: log)
            #expect(wire.head(length: 5) && wire.write("hell"))
            wire.response.leave()
            switch failure {
            case 0: wire.exchange.finish()
            case 1: wire.exchange.fail(status: 502, reason: "a test")
            default: FailureLines().fail(wire.exchange, status: 502, reason: "a test")
            }
            #expect(wire.exchange.isCut && wire.exchange.loggedStatus == 499)
            #expect(try folder.read("error.log") == "")
        }
    }

    @Test func aHandlerThatSaysNothingIsA500() throws {
        let wire = try Wire()
        let text = wire.finish()
        #expect(text.hasPrefix("HTTP/1.1 500 ") && !wire.exchange.isCut)
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
        #expect(wire.exchange.keepsConnection && !wire.exchange.headSent)
        #expect(wire.head(404, length: 2) && wire.write("no"))
        #expect(wire.finish().hasSuffix("\r\n\r\nno"))
        #expect(wire.exchange.status == 404 && wire.exchange.framing.passed == 2)
    }
}
