// Request heads: one table per rule of strictness, and the same answer however the bytes arrive.
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Exchange

/// What became of a head: its length and every fact about it, a status, or nothing yet.
enum Parsed: Equatable {
    case request(length: Int, metaVariables: [String])
    case refused(Int)
    case incomplete

    var status: Int {
        switch self {
        case .request: 200
        case .refused(let status): status
        case .incomplete: 0
        }
    }

    fileprivate init(_ request: Request, length: Int) {
        var metaVariables = [
            "\(request.method)", request.text(request.methodName), request.text(request.target),
            request.text(request.rawPath), request.text(request.query), "\(request.hasQuery)",
            "\(request.minorVersion)", request.text(request.host), request.text(request.authority),
            String(decoding: request.path, as: UTF8.self), "\(request.contentLength ?? -1)",
            "\(request.isChunked) \(request.expectsContinue) \(request.keepsAlive)",
            String(decoding: request.bytes, as: UTF8.self),
        ]
        for field in request.fields {
            metaVariables.append("\(request.text(field.name))=\(request.text(field.value))")
        }
        self = .request(length: length, metaVariables: metaVariables)
    }
}

/// Parses bytes of which `pieces` were there at each look.
func parse(_ bytes: [UInt8], seenAt pieces: [Int] = [], limits: RequestLimits = .init()) -> Parsed {
    let request = Request()
    var parser = RequestParser(limits: limits)
    for count in pieces + [bytes.count] {
        do {
            if let length = try parser.parse(bytes.span.extracting(0..<count), into: request) {
                return Parsed(request, length: length)
            }
        } catch {
            return .refused(error.status)
        }
    }
    return .incomplete
}

private func parse(_ text: String) -> Parsed { parse(Array(text.utf8)) }

/// A request with these field lines and a Host.
private func with(_ lines: String, version: String = "1.1") -> String {
    "POST /a HTTP/\(version)\r\nHost: x\r\n\(lines)\r\n\r\n"
}

private func get(_ target: String) -> String { "GET \(target) HTTP/1.1\r\nHost: x\r\n\r\n" }

private func host(_ value: String) -> String { "GET / HTTP/1.1\r\nHost: \(value)\r\n\r\n" }

@Suite struct RequestParserTests {
    @Test(arguments: [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Transfer-Encoding: chunked\r\nContent-Length: 0",
    ])
    func aLengthBesideChunksIsRefused(lines: String) { #expect(parse(with(lines)).status == 400) }

    @Test(arguments: [
        "Content-Length: 5\r\nContent-Length: 5", "Content-Length: 5\r\ncontent-length: 6",
        "Content-Length: 5, 5", "Content-Length: 5, 6", "Content-Length: 5,",
    ])
    func twoLengthsAreRefusedEqualOrNot(lines: String) { #expect(parse(with(lines)).status == 400) }

    @Test(arguments: [
        "+5", "-0", "-1", "0x5", "0o5", "5_0", "1 0", "5abc", "", "010", "00",
        "12345678901234567890",
        "9223372036854775808", "99999999999999999999999", "5\u{b}", "5;", "٥",
    ])
    func aLengthIsDigitsAlone(value: String) {
        #expect(parse(with("Content-Length: \(value)")).status == 400)
    }

    @Test(arguments: [("0", 0), ("7", 7), ("  7\t", 7), ("9223372036854775807", Int64.max)])
    func aLengthIsReadExactly(value: String, length: Int64) throws {
        let request = Request()
        var parser = RequestParser()
        let bytes = Array(with("Content-Length: \(value)").utf8)
        #expect(try parser.parse(bytes.span, into: request) == bytes.count)
        #expect(request.contentLength == length)
    }

    @Test(arguments: ["xchunked", "identity", "gzip", "chunkedx", "deflate"])
    func anotherTransferCodingIsNotImplemented(coding: String) {
        #expect(parse(with("Transfer-Encoding: \(coding)")).status == 501)
    }

    @Test(arguments: [
        "chunked, x", "x, chunked", "chunked, chunked", ",chunked", "chunked,", "chunked;a=b", "",
        "chunked\r\nTransfer-Encoding: chunked", "\u{b}chunked", "chunked\u{c}", "chun\tked",
        "\"chunked\"", "chunked\u{85}", "\u{a0}chunked", "chunked\0",
    ])
    func aTransferCodingThatReadersDisagreeOnIsRefused(value: String) {
        #expect(parse(with("Transfer-Encoding: \(value)")).status == 400)
    }

    @Test(arguments: ["chunked", "CHUNKED", " \tchunked \t"])
    func chunkedMayStandBetweenWhiteSpace(value: String) {
        #expect(parse(with("Transfer-Encoding: \(value)")).status == 200)
    }

    @Test func chunksAreUnknownInHTTP10() {
        #expect(parse(with("Transfer-Encoding: chunked", version: "1.0")).status == 400)
    }

    @Test(arguments: [
        "A: b\r\n c", "A: b\r\n\tc", "Transfer-Encoding:\r\n chunked", "Content-Length:\r\n 5",
    ])
    func aFoldedLineIsRefused(lines: String) { #expect(parse(with(lines)).status == 400) }

    @Test(arguments: [
        "GET / HTTP/1.1\nHost: x\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\n\n", "\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", "\n\n",
        "GET / HTTP/1.1\r\nA: b\nHost: x\r\n\r\n",
    ])
    func aBareLineFeedIsRefused(text: String) { #expect(parse(text).status == 400) }

    @Test(arguments: [
        "\rGET / HTTP/1.1\r\nHost: x\r\n\r\n", "\rXGET / HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET\r / HTTP/1.1\r\nHost: x\r\n\r\n", "GET / HTTP/1.1\r\r\nHost: x\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\nA: b\rc\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\n\r\r\n\r\n", "\r\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
    ])
    func aBareCarriageReturnIsRefused(text: String) { #expect(parse(text).status == 400) }

    @Test(arguments: [
        "A : b", "A\t: b", " A: b", "\tA: b", "A", ": b", "A b", "Transfer-Encoding : chunked",
        "A\0: b", "A\u{7f}: b", "Ä: b", "A(: b", "A\": b", "A/b: c", "A[: b", "A@b: c", "A: b\0c",
        "A: b\u{1}c", "A: b\u{7f}c", "A: \u{1b}[31m",
    ])
    func aFieldLineIsATokenAColonAndText(line: String) { #expect(parse(with(line)).status == 400) }

    @Test func bytesAbove7FPassInValuesUntrimmed() throws {
        let request = Request()
        var parser = RequestParser()
        let bytes =
            Array("GET / HTTP/1.1\r\nHost: x\r\nA: ".utf8) + [0x85, 0xa0, 0xff, 0x85, 0x20]
            + Array("\r\n\r\n".utf8)
        #expect(try parser.parse(bytes.span, into: request) == bytes.count)
        let value = try #require(request.value(of: "a"))
        #expect(Array(request.bytes[value.range]) == [0x85, 0xa0, 0xff, 0x85])
    }

    @Test(arguments: [
        "", "a@b", "user:pass@b", "a/b", "a,b", "a b", "[::1", "[]", "[]:80", "[g::1]", "a\0b",
        "a:99999", "a:65536", "a:-1", "a:8x", "a:1:2", "a?b", "a#b", "a%41", "ä", "::1", ":80",
        "a\r\nHost: a",
    ])
    func aHostIsANameOrAnAddressAndAPort(value: String) {
        #expect(parse(host(value)).status == 400)
    }

    @Test(arguments: ["a", "A.b-c_d", "127.0.0.1:8080", "[::1]", "[::1]:8080", "a:", "a:65535"])
    func aGoodHostPasses(value: String) { #expect(parse(host(value)).status == 200) }

    @Test func aMissingHostIsRefusedIn11AndAllowedIn10() {
        #expect(parse("GET / HTTP/1.1\r\n\r\n").status == 400)
        #expect(parse("GET / HTTP/1.0\r\n\r\n").status == 200)
    }

    @Test func theAuthorityOfTheTargetWinsOverHost() throws {
        let request = Request()
        var parser = RequestParser()
        let bytes = Array("GET http://a.test:81/p?q HTTP/1.1\r\nHost: b\r\n\r\n".utf8)
        _ = try parser.parse(bytes.span, into: request)
        #expect(request.text(request.host) == "a.test")
        #expect(request.text(request.authority) == "a.test:81")
        #expect(request.path == Array("/p".utf8))
        #expect(parse("GET http://a/ HTTP/1.1\r\nHost: b@c\r\n\r\n").status == 400)
    }

    @Test(arguments: [
        "HTTP/1.10", "http/1.1", "HTTP/01.1", "HTTP/ 1.1", "HTTP/4294967297.1", "HTTP/1.", "HTTP/1",
        "HTTP/1.1 ", " HTTP/1.1", "HTTP/1.x", "HTTPS/1.1", "", "HTTP/0.9", "HTTP/2.0", "HTTP/3.0",
    ])
    func anotherVersionIsRefused(version: String) {
        let status = parse("GET / \(version)\r\nHost: x\r\n\r\n").status
        #expect(status == 400 || status == 505)
    }

    @Test(arguments: [
        "/a#b", "*", "a", "", "/a\tb", "/\u{1}", "/a\\b", "/ä", "/a b", "//\u{7f}", "ftp://x/",
        "http:/x",
        "http://", "http://a@b/", "x:80",
    ])
    func aTargetIsAPathOrAURL(target: String) { #expect(parse(get(target)).status == 400) }

    @Test(arguments: [
        "GET /\r\n\r\n", "GET\t/\tHTTP/1.1\r\nHost: x\r\n\r\n",
        "GET  / HTTP/1.1\r\nHost: x\r\n\r\n",
        " GET / HTTP/1.1\r\nHost: x\r\n\r\n", "\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "G(T / HTTP/1.1\r\nHost: x\r\n\r\n",
    ])
    func aRequestLineIsThreeWordsOneSpaceApart(text: String) {
        let status = parse(text).status
        #expect(status == 400 || status == 505)
    }

    @Test func oneEmptyLineBeforeTheRequestIsSkipped() {
        #expect(parse("\r\n" + get("/")).status == 200)
    }

    @Test func methodsAreKnownByTheirExactName() throws {
        func method(_ name: String) throws -> Request.Method {
            let request = Request()
            var parser = RequestParser()
            let bytes = Array("\(name) / HTTP/1.1\r\nHost: x\r\n\r\n".utf8)
            _ = try parser.parse(bytes.span, into: request)
            return request.method
        }
        #expect(try method("GET") == .get)
        #expect(try method("get") == .unknown)
        #expect(try method("GETX") == .unknown)
        #expect(try method("PROPFIND") == .registered)
        #expect(try method("CONNECT") == .connect)
        #expect(try method("TRACE") == .trace)
    }

    @Test func anUpgradeIsIgnored() {
        #expect(parse(with("Connection: Upgrade\r\nUpgrade: h2c")).status == 200)
    }

    @Test func sizesHaveBounds() {
        func long(_ count: Int) -> String { String(repeating: "a", count: count) }
        #expect(parse(get("/" + long(8000))).status == 200)
        #expect(parse(get("/" + long(64 << 10))).status == 414)
        #expect(parse("GET /" + long(64 << 10)).status == 414)
        #expect(parse(long(100_000) + " / HTTP/1.1\r\n").status == 501)
        #expect(parse(with("A: " + long(100_000))).status == 431)
        #expect(parse("GET / HTTP/1.1\r\nA: " + long(100_000)).status == 431)
        #expect(parse(with(String(repeating: "A: b\r\n", count: 10_000) + "C: d")).status == 431)
    }

    @Test func anExpectationIsKnownOrRefused() {
        #expect(parse(with("Expect: 100-continue")).status == 200)
        #expect(parse(with("Expect: 200-ok")).status == 417)
        #expect(parse(with("Expect: 200-ok", version: "1.0")).status == 200)
    }

    @Test(arguments: [
        ("1.1", "A: b", true), ("1.1", "Connection: close", false),
        ("1.1", "Connection: x , Close", false),
        ("1.1", "Connection: keep-alive, close", false), ("1.0", "A: b", false),
        ("1.0", "Connection: keep-alive", true), ("1.1", "Connection: closed", true),
        ("1.1", "Connection: x\r\nConnection: close", false),
    ])
    func theConnectionIsKeptAsAsked(version: String, line: String, keeps: Bool) throws {
        let request = Request()
        var parser = RequestParser()
        let bytes = Array(with(line, version: version).utf8)
        _ = try parser.parse(bytes.span, into: request)
        #expect(request.keepsAlive == keeps)
    }
}
