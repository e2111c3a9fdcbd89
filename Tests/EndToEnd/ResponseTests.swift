// A response is checked as strictly as a request, whoever made it and wherever it ran.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing
import TestSupport

/// What an extension says, and what becomes of it.
struct Saying: Sendable, CustomTestStringConvertible {
    var name: String
    var status: String
    var head: String
    var body: String
    var testDescription: String { name }

    init(
        _ name: String, status: String = "200 OK",
        head: String = "Content-Type: text/plain\r\n\r\n", body: String = ""
    ) {
        self.name = name
        self.status = status
        self.head = head
        self.body = body
    }

    var bytes: [UInt8] { Array("\(status)\n\(head)\0\(body)".utf8) }
}

private let site = """
    extensions:
      inside:  { library: LIBRARY, thread-safe: true }
      outside: { library: LIBRARY, thread-safe: false, pool: { processes: 1 } }
    sites:
      - name: main
        root: www
        handlers:
          - { path: /inside,  extension: inside }
          - { path: /outside, extension: outside }
    """

extension EndToEndTests {
    @Suite("Responses of extensions", .serialized, .timeLimit(.minutes(3)))
    struct ResponseTests {
        private func withBothHomes(_ body: (ServerProcess, String) throws -> Void) throws {
            let library = try Package.misbehaving("says")
            try withServer(site.replacingOccurrences(of: "LIBRARY", with: library)) { server in
                try body(server, "/inside")
                try body(server, "/outside")
            }
        }

        private func say(
            _ saying: Saying, _ server: ServerProcess, _ home: String, by way: String = "ex"
        ) throws -> HTTPResponse {
            try server.client().exchange("POST", "\(home)?\(way)", body: saying.bytes)
        }

        @Test func aHeadThatCouldSplitAResponseIsRefused() throws {
            let sayings = [
                Saying("line feed in the status", status: "200 OK\rX: y"),
                Saying("bare carriage return", head: "X-A: a\rX-B: b\r\n\r\n"),
                Saying("space in a name", head: "X A: a\r\n\r\n"),
                Saying(
                    "two lengths", head: "Content-Length: 5\r\nContent-Length: 6\r\n\r\n",
                    body: "hello"),
                Saying("length in letters", head: "Content-Length: 5x\r\n\r\n", body: "hello"),
                Saying("negative length", head: "Content-Length: -1\r\n\r\n", body: "hello"),
                Saying("control in a value", head: "X-A: a\u{1}b\r\n\r\n"),
                Saying("status in letters", status: "abc"),
                Saying("status of four digits", status: "2000 OK"),
                Saying("status below 100", status: "99 No"),
            ]
            try withBothHomes { server, home in
                for saying in sayings {
                    let response = try say(saying, server, home)
                    #expect(
                        [500, 502].contains(response.status),
                        "\(home) \(saying.name) \(response.status)")
                    #expect(response.value("X-B") == nil)
                }
                #expect(try say(Saying("good", body: "fine"), server, home).text == "fine")
            }
        }

        @Test func sloppyHeadsOfExtensionsAreUnderstood() throws {
            try withBothHomes { server, home in
                for way in ["ex", "plain"] {
                    let lines = Saying(
                        "line feeds", head: "Content-Type: text/plain\nX-A : 1\n\n", body: "fine")
                    let response = try say(lines, server, home, by: way)
                    #expect(response.status == 200)
                    #expect(response.value("X-A") == "1")
                    #expect(response.text == "fine")
                    #expect(
                        try say(Saying("bare", status: "201", body: "x"), server, home, by: way)
                            .status == 201)
                    #expect(
                        try say(Saying("glued", status: "200OK", body: "x"), server, home, by: way)
                            .status == 200)
                }
            }
        }

        @Test func moreThanTheLengthIsDroppedAndLessIsSeenAsCut() throws {
            try withBothHomes { server, home in
                let more = Saying("more", head: "Content-Length: 4\r\n\r\n", body: "12345678")
                let client = try server.client()
                for _ in 0..<2 {
                    let bounded = try client.exchange("POST", home + "?ex", body: more.bytes)
                    #expect(bounded.text == "1234")
                }
                let less = Saying("less", head: "Content-Length: 10\r\n\r\n", body: "1234")
                #expect(throws: ClientError.truncated) { try say(less, server, home) }
                let after = Saying("after", body: "fine")
                #expect(try say(after, server, home).text == "fine")
            }
        }

        @Test func responsesWithoutABodyHaveNone() throws {
            try withBothHomes { server, home in
                for status in ["204 No Content", "304 Not Modified"] {
                    let client = try server.client()
                    let saying = Saying("none", status: status, body: "must not appear")
                    let response = try client.exchange("POST", home + "?ex", body: saying.bytes)
                    #expect("\(response.status)" == status.prefix(3))
                    #expect(response.value("Transfer-Encoding") == nil)
                    if response.value("Connection")?.lowercased() != "close" {
                        #expect(try client.exchange("GET", "/missing").status == 404)
                    }
                }
                let client = try server.client()
                let bytes = Saying("head", body: "must not appear").bytes
                try client.send(
                    Array(
                        "HEAD \(home)?ex HTTP/1.1\r\nHost: a\r\nContent-Length: \(bytes.count)\r\n\r\n"
                            .utf8) + bytes)
                #expect(try client.response(headOnly: true).status == 200)
                client.endSending()
                #expect(try client.everything().isEmpty)
            }
        }

        @Test func aWholeRawResponseIsReadAsOne() throws {
            try withBothHomes { server, home in
                let raw = Array(
                    "HTTP/1.1 202 Own\r\nContent-Type: text/plain\r\nX-Own: 1\r\n\r\nraw".utf8)
                let response = try server.client().exchange("POST", home + "?raw", body: raw)
                #expect(response.status == 202)
                #expect(response.value("X-Own") == "1")
                #expect(response.text == "raw")
                let body = try server.client().exchange(
                    "POST", home + "?raw", body: Array("only a body".utf8))
                #expect(body.status == 200)
                #expect(body.text == "only a body")
            }
        }

        @Test func aBodyWithoutALengthIsChunkedForHTTP11AndClosedForHTTP10() throws {
            try withBothHomes { server, home in
                let bytes = Saying("free", body: "some text").bytes
                let response = try server.client().exchange("POST", home + "?ex", body: bytes)
                #expect(response.isChunked)
                #expect(response.text == "some text")
                let old = try server.client()
                try old.send(
                    Array("POST \(home)?ex HTTP/1.0\r\nContent-Length: \(bytes.count)\r\n\r\n".utf8)
                        + bytes)
                let plain = try old.response()
                #expect(!plain.isChunked)
                #expect(plain.text == "some text")
            }
        }
    }
}
