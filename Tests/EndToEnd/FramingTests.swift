// Ambiguous requests are refused, and no byte after one is ever read as another request.
// SPDX-License-Identifier: Apache-2.0

import Testing
import TestSupport

/// Bytes a client should not send, and the statuses that refuse them.
struct Attack: Sendable, CustomTestStringConvertible {
    var name: String
    var bytes: [UInt8]
    var statuses: Set<Int>
    var testDescription: String { name }

    init(_ name: String, _ text: String, _ statuses: Set<Int> = [400]) {
        self.init(name, Array(text.utf8), statuses)
    }

    init(_ name: String, _ bytes: [UInt8], _ statuses: Set<Int> = [400]) {
        self.name = name
        self.bytes = bytes
        self.statuses = statuses
    }

    /// A POST with these field lines and this body.
    static func post(
        _ name: String, _ fields: String, _ body: String = "", _ statuses: Set<Int> = [400]
    ) -> Attack {
        Attack(
            name, "POST /cgi-bin/cat HTTP/1.1\r\nHost: localhost\r\n\(fields)\r\n\r\n\(body)",
            statuses)
    }

    /// A POST with a chunked body.
    static func chunked(_ name: String, _ body: String, _ statuses: Set<Int> = [400]) -> Attack {
        post(name, "Transfer-Encoding: chunked", body, statuses)
    }

    /// A GET with this request line.
    static func line(_ name: String, _ line: String, _ statuses: Set<Int> = [400]) -> Attack {
        Attack(name, "\(line)\r\nHost: localhost\r\n\r\n", statuses)
    }

    /// A GET with these field lines besides Host.
    static func field(_ name: String, _ line: String, _ statuses: Set<Int> = [400]) -> Attack {
        Attack(name, "GET / HTTP/1.1\r\nHost: localhost\r\n\(line)\r\n\r\n", statuses)
    }
}

private let smuggled = "GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"

/// Sends the attack and a request behind it: one refusal, nothing else, and the connection ends.
private func expectRefused(_ attack: Attack, sourceLocation: SourceLocation = #_sourceLocation)
    throws
{
    let server = try SharedServer.current
    let client = try server.client()
    try client.sendIgnoringClose(attack.bytes + Array(smuggled.utf8))
    // A request that waits for more is ended by this: the answer has to come all the same.
    client.endSending()
    let response = try client.response()
    #expect(
        attack.statuses.contains(response.status), "\(response.status)",
        sourceLocation: sourceLocation)
    #expect(response.value("Connection")?.lowercased() == "close", sourceLocation: sourceLocation)
    let after = try client.everything()
    #expect(
        after.isEmpty, "\(String(decoding: after.prefix(80), as: UTF8.self))",
        sourceLocation: sourceLocation)
    #expect(!server.accessLog.contains("/smuggled"), sourceLocation: sourceLocation)
}

extension EndToEndTests {
    @Suite(
        "Framing of requests", .serialized, .server(plainSite, files: plainFiles),
        .timeLimit(.minutes(5)))
    struct FramingTests {
        @Test(arguments: [
            Attack.post("both", "Content-Length: 5\r\nTransfer-Encoding: chunked", "0\r\n\r\n"),
            .post(
                "both, other order", "Transfer-Encoding: chunked\r\nContent-Length: 5", "0\r\n\r\n"),
            .post("both, length 0", "Transfer-Encoding: chunked\r\nContent-Length: 0", "0\r\n\r\n"),
        ])
        func contentLengthBesideTransferEncodingIsRefused(_ attack: Attack) throws {
            try expectRefused(attack)
        }

        @Test(arguments: [
            Attack.post("two equal", "Content-Length: 5\r\nContent-Length: 5", "hello"),
            .post("two different", "Content-Length: 5\r\nContent-Length: 6", "hello"),
            .post("equal list", "Content-Length: 5, 5", "hello"),
            .post("different list", "Content-Length: 5, 6", "hello"),
        ])
        func moreThanOneContentLengthIsRefused(_ attack: Attack) throws {
            try expectRefused(attack)
        }

        @Test(arguments: [
            "+5", "-0", "-5", "0x5", "0o5", "5_0", "\"1 0\"", "5abc", "", "010", "5.0", "5 5", "٥",
            "18446744073709551616", "99999999999999999999", "9223372036854775808",
        ])
        func contentLengthThatIsNoPlainNumberIsRefused(_ value: String) throws {
            try expectRefused(.post(value, "Content-Length: \(value)", "hello", [400, 413]))
        }

        @Test(arguments: [
            "xchunked", "identity", "gzip", "chunked, gzip", "chunked, x", "chunked, chunked",
            ",chunked",
            "chunked,", "chunked;a=b", "", "chunked chunked", "gzip, chunked", "\"chunked\"",
            "chun ked",
        ])
        func transferCodingsOtherThanChunkedAreRefused(_ value: String) throws {
            try expectRefused(.post(value, "Transfer-Encoding: \(value)", "0\r\n\r\n", [400, 501]))
        }

        @Test func twoTransferEncodingLinesAreRefused() throws {
            let fields = "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"
            try expectRefused(.post("two lines", fields, "0\r\n\r\n"))
        }

        @Test(arguments: [
            Attack.post("vertical tab", "Transfer-Encoding: \u{0b}chunked", "0\r\n\r\n"),
            .post("form feed", "Transfer-Encoding: chunked\u{0c}", "0\r\n\r\n"),
            .post("NUL", "Transfer-Encoding: chunked\0", "0\r\n\r\n"),
            .post("space before the colon", "Transfer-Encoding : chunked", "0\r\n\r\n"),
            Attack(
                "0x85",
                Array("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: ".utf8) + [0x85]
                    + Array("chunked\r\n\r\n0\r\n\r\n".utf8), [400, 501]),
            Attack(
                "0xa0",
                Array("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked".utf8) + [0xa0]
                    + Array("\r\n\r\n0\r\n\r\n".utf8), [400, 501]),
        ])
        func transferEncodingInDisguiseIsRefused(_ attack: Attack) throws {
            try expectRefused(attack)
        }

        @Test func transferEncodingInHTTP10IsRefused() throws {
            let text = "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
            try expectRefused(Attack("1.0", text))
        }

        @Test(arguments: [
            Attack.field("of any field", "X-A: one\r\n two"),
            .post("of Transfer-Encoding", "Transfer-Encoding:\r\n chunked", "0\r\n\r\n"),
            .post("of Content-Length", "Content-Length:\r\n\t5", "hello"),
            Attack("before the first field", "GET / HTTP/1.1\r\n Host: localhost\r\n\r\n"),
        ])
        func foldedLinesAreRefused(_ attack: Attack) throws { try expectRefused(attack) }

        @Test(arguments: [
            Attack("request line", "GET / HTTP/1.1\nHost: localhost\r\n\r\n"),
            .field("field", "X-A: one\nX-B: two"),
            Attack("blank line", "GET / HTTP/1.1\r\nHost: localhost\r\n\n"),
            .chunked("chunk line", "5\nhello\r\n0\r\n\r\n"),
            .chunked("end of a chunk", "5\r\nhello\n0\r\n\r\n"),
            .chunked("trailer", "0\r\nX-A: one\n\r\n"),
        ])
        func bareLineFeedsAreRefused(_ attack: Attack) throws { try expectRefused(attack) }

        @Test(arguments: [
            Attack("request line", "GET / HTTP/1.1\rHost: localhost\r\n\r\n"),
            .field("value", "X-A: one\rX-B: two"),
            .field("name", "X\r-A: one"),
            Attack("before the line feed", "GET / HTTP/1.1\r\r\nHost: localhost\r\n\r\n"),
        ])
        func bareCarriageReturnsAreRefused(_ attack: Attack) throws { try expectRefused(attack) }

        @Test(arguments: [
            Attack.field("space before the colon", "X-A : one"),
            .field("tab before the colon", "X-A\t: one"),
            .field("no colon", "X-A"),
            .field("empty name", ": one"),
            .field("NUL in the name", "X\0A: one"),
            .field("DEL in the name", "X\u{7f}A: one"),
            .field("delimiter in the name", "X(A): one"),
            .field("letter above 0x7f in the name", "X-Ä: one"),
            .field("NUL in the value", "X-A: o\0ne"),
            .field("control in the value", "X-A: o\u{1}ne"),
        ])
        func malformedFieldLinesAreRefused(_ attack: Attack) throws { try expectRefused(attack) }

        @Test(arguments: [
            "", "+1", "-0", "0x1", "1_0", " 1", "1 ", "g", "11111111111111111", "8000000000000000",
            "ffffffffffffffff", "10000000000000001",
        ])
        func chunkSizesThatAreNoPlainNumberAreRefused(_ size: String) throws {
            try expectRefused(.chunked(size, "\(size)\r\na\r\n0\r\n\r\n", [400, 413]))
        }

        @Test(arguments: [
            Attack.chunked(
                "64 KiB of extension",
                "1;a=\(String(repeating: "x", count: 65536))\r\na\r\n0\r\n\r\n"),
            .chunked("NUL in an extension", "1;a=\0\r\na\r\n0\r\n\r\n"),
            .chunked("carriage return in an extension", "1;a=\r\r\na\r\n0\r\n\r\n"),
            .chunked(
                "16 KiB of extension on every byte",
                String(repeating: "1;a=\(String(repeating: "x", count: 16000))\r\na\r\n", count: 8)
                    + "0\r\n\r\n"),
            .chunked("no line end after the data", "5\r\nhello0\r\n\r\n"),
            .chunked("more data than the size", "5\r\nhello!\r\n0\r\n\r\n"),
        ])
        func malformedChunksAreRefused(_ attack: Attack) throws { try expectRefused(attack) }

        @Test(arguments: [
            Attack("none", "GET / HTTP/1.1\r\n\r\n"),
            .field("two", "Host: localhost"),
            Attack("user information", "GET / HTTP/1.1\r\nHost: a@localhost\r\n\r\n"),
            Attack("path", "GET / HTTP/1.1\r\nHost: localhost/a\r\n\r\n"),
            Attack("comma", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"),
            Attack("open bracket", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n"),
            Attack("NUL", "GET / HTTP/1.1\r\nHost: local\0host\r\n\r\n"),
            Attack("large port", "GET / HTTP/1.1\r\nHost: localhost:99999\r\n\r\n"),
            Attack("port in letters", "GET / HTTP/1.1\r\nHost: localhost:http\r\n\r\n"),
        ])
        func malformedHostsAreRefused(_ attack: Attack) throws { try expectRefused(attack) }

        @Test(arguments: [
            Attack.line("HTTP/1.10", "GET / HTTP/1.10", [400, 505]),
            .line("http/1.1", "GET / http/1.1", [400, 505]),
            .line("HTTP/01.1", "GET / HTTP/01.1", [400, 505]),
            .line("HTTP/ 1.1", "GET / HTTP/ 1.1", [400, 505]),
            .line("HTTP/4294967297.1", "GET / HTTP/4294967297.1", [400, 505]),
            .line("HTTP/2.0", "GET / HTTP/2.0", [400, 505]),
            .line("no version", "GET /"),
            .line("tab", "GET\t/\tHTTP/1.1"),
            .line("two spaces", "GET  / HTTP/1.1"),
            .line("two spaces behind", "GET /  HTTP/1.1"),
            .line("fragment", "GET /#a HTTP/1.1"),
            .line("asterisk", "GET * HTTP/1.1"),
            .line("control", "GET /\u{1} HTTP/1.1"),
            .line("backslash", "GET /a\\b HTTP/1.1"),
            .line("letters above 0x7f", "GET /ä HTTP/1.1"),
            .line("no slash", "GET index.html HTTP/1.1"),
            .line("empty method", " / HTTP/1.1"),
            Attack("HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [400, 505]),
        ])
        func malformedRequestLinesAreRefused(_ attack: Attack) throws { try expectRefused(attack) }

        @Test(arguments: [
            Attack.line("unknown method", "BREW / HTTP/1.1", [501]),
            .line("method in lower case", "get / HTTP/1.1", [400, 501]),
            .line("CONNECT", "CONNECT localhost:1 HTTP/1.1", [400, 405]),
            .line("TRACE", "TRACE / HTTP/1.1", [405]),
            .line(
                "100 KB of method", "\(String(repeating: "A", count: 100_000)) / HTTP/1.1",
                [400, 414, 431, 501]),
            .line(
                "64 KiB of address", "GET /\(String(repeating: "a", count: 65536)) HTTP/1.1", [414]),
            .field("100 KB in one field", "X-A: \(String(repeating: "a", count: 100_000))", [431]),
            .field(
                "10,000 fields",
                Array(repeating: "X-A: b", count: 10_000).joined(separator: "\r\n"), [431]),
        ])
        func limitsHaveTheirOwnStatus(_ attack: Attack) throws { try expectRefused(attack) }

        @Test func methodsThatAreNotAllowedAreAnsweredWithTheAllowedOnes() throws {
            let client = try SharedServer.current.client()
            try client.send("TRACE / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            let response = try client.response()
            #expect(response.status == 405)
            #expect(response.value("Allow")?.contains("GET") == true)
        }

        @Test func bodyThatEndsEarlyIsNotAnswered200() throws {
            let server = try SharedServer.current
            for fields in [
                "Content-Length: 10\r\n\r\nhello", "Transfer-Encoding: chunked\r\n\r\n5\r\nhel",
            ] {
                let client = try server.client()
                try client.send("POST /cgi-bin/cat HTTP/1.1\r\nHost: localhost\r\n\(fields)")
                client.endSending()
                #expect(try client.response().status == 400)
            }
        }

        @Test func anAddressOf8000BytesIsAccepted() throws {
            let response = try SharedServer.current.get(
                "/hello?" + String(repeating: "a", count: 7900))
            #expect(response.status == 200)
        }

        @Test func trailersNeverBecomeVariables() throws {
            let client = try SharedServer.current.client()
            try client.send(
                "POST /cgi-bin/env HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
                    + "5\r\nhello\r\n0\r\nProxy: evil\r\nAuthorization: evil\r\nX-Trailer: evil\r\n\r\n"
            )
            let response = try client.response()
            #expect(response.status == 200)
            #expect(!response.text.contains("evil"))
            #expect(try client.exchange("GET", "/file.txt").text == "0123456789\n")
        }

        @Test func aMebibyteOfTrailersIsRefused() throws {
            let trailers = Array(
                repeating: "X-A: \(String(repeating: "b", count: 1000))\r\n", count: 1000
            ).joined()
            try expectRefused(.chunked("trailers", "0\r\n\(trailers)\r\n", [400, 431]))
        }

        @Test func authorityOfTheTargetWinsOverHost() throws {
            let client = try SharedServer.current.client()
            try client.send(
                "GET http://target.test:81/cgi-bin/env HTTP/1.1\r\nHost: other.test\r\nConnection: close\r\n\r\n"
            )
            let variables = try client.response().text
            #expect(variables.contains("HTTP_HOST=target.test:81\n"))
            #expect(variables.contains("SERVER_NAME=target.test\n"))
            #expect(!variables.contains("other.test"))
        }

        @Test func pipelinedRequestsAreAnsweredInOrderUntilTheFirstMalformedOne() throws {
            let client = try SharedServer.current.client()
            var requests = ""
            for number in 0..<1000 {
                let target = number % 3 == 0 ? "/file.txt" : "/hello?\(number)"
                requests += "GET \(target) HTTP/1.1\r\nHost: localhost\r\n\r\n"
            }
            try client.send(requests + "garbage\r\n\r\n" + smuggled)
            for number in 0..<1000 {
                let response = try client.response()
                #expect(response.status == 200)
                #expect((response.text == "0123456789\n") == (number % 3 == 0))
            }
            #expect(try client.response().status == 400)
            #expect(try client.everything().isEmpty)
        }

        @Test func bytesOfAnUnwantedBodyNeverBecomeARequest() throws {
            let server = try SharedServer.current
            for method in ["GET", "POST", "HEAD", "OPTIONS", "PUT"] {
                let client = try server.client()
                let body = smuggled
                try client.send(
                    "\(method) /nothing-there HTTP/1.1\r\nHost: localhost\r\nContent-Length: \(body.utf8.count)\r\n\r\n"
                        + body)
                client.endSending()
                _ = try client.response(headOnly: method == "HEAD")
                #expect(try client.everything().isEmpty, "\(method)")
            }
            #expect(!server.accessLog.contains("/smuggled"))
        }

        @Test func upgradeToHTTP2IsIgnored() throws {
            let fields = [
                "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c",
                "HTTP2-Settings: AAMAAABkAAQAAP__",
            ]
            let response = try SharedServer.current.get("/file.txt", fields: fields)
            #expect(response.status == 200)
            #expect(response.text == "0123456789\n")
        }

        @Test func continueIsSentWhenTheBodyIsWantedAndNeverToHTTP10() throws {
            let server = try SharedServer.current
            let client = try server.client()
            try client.send(
                "POST /cgi-bin/cat HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
            )
            #expect(try client.responseHead().status == 100)
            try client.send("hello")
            #expect(try client.response().text == "hello")

            let old = try server.client()
            try old.send(
                "POST /cgi-bin/cat HTTP/1.0\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello"
            )
            var interim = 0
            #expect(try old.response(interim: { _ in interim += 1 }).text == "hello")
            #expect(interim == 0)
        }

        @Test func unknownExpectationsAreRefused() throws {
            try expectRefused(.post("unknown", "Content-Length: 0\r\nExpect: a-pony", "", [417]))
        }

        @Test func emptyLinesBeforeARequestAreSkipped() throws {
            let client = try SharedServer.current.client()
            try client.send("\r\nGET /file.txt HTTP/1.1\r\nHost: localhost\r\n\r\n")
            #expect(try client.response().text == "0123456789\n")
        }

        @Test func theServerAnswersAfterAllThat() throws {
            #expect(try SharedServer.current.get("/hello").status == 200)
        }
    }
}
