// `request-body: preload`: an extension is called with the first bytes of a body and reads the others.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing
import TestSupport

/// The same extension at a path where it preloads, where it does not, and in worker processes, in one of
/// which it was to preload.
private let site = """
    extensions:
      reads:   { library: LIBRARY, thread-safe: true }
      outside: { library: LIBRARY, thread-safe: false }
      unsaid:  { library: LIBRARY }
      hello:   { library: hello, thread-safe: true }
    sites:
      - handlers:
          - { path: /reads,   extension: reads, request-body: preload }
          - { path: /whole,   extension: reads }
          - { path: /outside, extension: outside }
          - { path: /unsaid,  extension: unsaid, request-body: preload }
          - { path: /hello,   extension: hello }
    """

private let preload = 48 * 1024

private func pattern(_ count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 13) }
}

/// What the extension tells of a body that it has read to its end.
private func told(_ body: [UInt8], total: UInt32? = nil) -> String {
    let sum = body.reduce(UInt32(2_166_136_261)) { ($0 ^ UInt32($1)) &* 16_777_619 }
    let total = String(total ?? UInt32(body.count), radix: 16)
    return "\(total) \(min(body.count, preload)) \(body.count) \(String(format: "%08x", sum))"
}

private func head(_ query: String, _ fields: String) -> [UInt8] {
    Array("POST /reads?\(query) HTTP/1.1\r\nHost: a\r\n\(fields)\r\n\r\n".utf8)
}

private func chunks(_ body: [UInt8], of size: Int) -> [UInt8] {
    var text: [UInt8] = []
    for start in stride(from: 0, to: body.count, by: size) {
        let part = body[start..<min(start + size, body.count)]
        text += Array("\(String(part.count, radix: 16))\r\n".utf8) + part + [13, 10]
    }
    return text
}

private func closes(_ response: HTTPResponse) -> Bool { response.value("Connection") == "close" }

extension EndToEndTests {
    @Suite("Preloaded bodies", .serialized, .timeLimit(.minutes(5)))
    struct PreloadedBodyTests {
        private func withReader(
            _ settings: String = "threads: { max: 8 }", _ body: (ServerProcess) throws -> Void
        ) throws {
            let library = try Package.misbehaving("reads")
            try withServer(
                settings + "\n" + site.replacingOccurrences(of: "LIBRARY", with: library), body)
        }

        @Test func aLongBodyIsReadInPiecesAndTheConnectionServesTheRequestBehindIt() throws {
            try withReader { server in
                let behind = Array("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n".utf8)
                for size in [1, preload - 1, preload, preload + 1, 3_000_000] {
                    let body = pattern(size)
                    let client = try server.client()
                    for query in ["all", "exact", "pending"] {
                        try client.send(head(query, "Content-Length: \(size)") + body + behind)
                        #expect(try client.response().text == told(body), "\(query), \(size)")
                        #expect(try client.response().text == "Hello, world\n")
                    }
                    for path in ["/whole?all", "/outside?all", "/unsaid?all"] {
                        #expect(
                            try client.exchange("POST", path, body: body).text == told(body),
                            "the same everywhere")
                    }
                }
                #expect(server.errors.contains("has no effect: unsaid runs in worker processes"))
            }
        }

        @Test func aChunkedBodyOfUnknownLengthIsReadToItsEnd() throws {
            try withReader { server in
                let client = try server.client()
                let body = pattern(300_001)
                for query in ["all", "pending"] {
                    try client.send(
                        head(query, "Transfer-Encoding: chunked") + chunks(body, of: 7001)
                            + Array("0\r\nX-Trailer: dropped\r\n\r\n".utf8))
                    #expect(try client.response().text == told(body, total: .max))
                }
                #expect(try client.exchange("GET", "/hello").status == 200)
            }
        }

        @Test func anUploadIsRefusedWhenItsBeginningIsThere() throws {
            try withReader { server in
                let client = try server.client()
                try client.send(head("refuse", "Content-Length: 1000000000") + pattern(preload))
                let response = try client.response()
                #expect(response.status == 403)
                #expect(response.text == "3b9aca00 49152")
                #expect(closes(response), "the rest may come or not")
                #expect(try client.everything().isEmpty)
            }
        }

        @Test func aClientThatAsksFirstIsRefusedWithoutAContinue() throws {
            try withReader { server in
                let client = try server.client()
                try client.send(head("refuse", "Content-Length: 1000000\r\nExpect: 100-continue"))
                let response = try client.responseHead()
                #expect(response.status == 403)
                #expect(closes(response))
            }
        }

        @Test func aClientThatAsksFirstIsToldToContinueOnceWhenItsBodyIsRead() throws {
            try withReader { server in
                let client = try server.client()
                let body = pattern(200_000)
                for query in ["all", "pending"] {
                    try client.send(
                        head(query, "Content-Length: 200000\r\nExpect: 100-continue"))
                    #expect(try client.responseHead().status == 100)
                    try client.send(body)
                    let response = try client.responseHead()
                    #expect(response.status == 200, "and not a second 100")
                    let text = told(body).replacingOccurrences(of: " 49152 ", with: " 0 ")
                    #expect(try client.body(of: response).text == text)
                }
            }
        }

        @Test func aHeadSentBeforeTheBodyWasReadIsTheLastOfItsConnection() throws {
            try withReader { server in
                let client = try server.client()
                let body = pattern(200_000)
                // The client waits for permission and gets an answer: a 100 behind it would be a part of it.
                try client.send(head("late", "Content-Length: 200000\r\nExpect: 100-continue"))
                let response = try client.responseHead()
                #expect(response.status == 200 && closes(response))
                try client.send(body)
                let text = told(body).replacingOccurrences(of: " 49152 ", with: " 0 ")
                #expect(try client.body(of: response).text == text)
                #expect(try client.everything().isEmpty)
            }
        }

        @Test func aClientThatStopsSendingFailsTheReadAndFreesItsThread() throws {
            try withReader("threads: { min: 2, max: 2 }\ntimeouts: { body: 1 }") { server in
                for (query, status, text) in [("all", 408, nil), ("tell", 200, "error 30")] {
                    let client = try server.client()
                    try client.send(head(query, "Content-Length: 60000") + pattern(50_000))
                    let response = try client.response()
                    #expect(response.status == status && closes(response))
                    if let text { #expect(response.text == text) }
                    #expect(try server.get("/hello").status == 200)
                }
            }
        }

        @Test func aBodyThatEndsEarlyIsMalformedOrTooLongIsTheClientsFault() throws {
            try withReader("limits: { body: 100000 }") { server in
                let chunked = head("all", "Transfer-Encoding: chunked")
                for (bytes, status) in [
                    (head("all", "Content-Length: 60000") + pattern(50_000), 400),
                    (chunked + chunks(pattern(50_000), of: 50_000) + [0x78], 400),
                    (chunked + chunks(pattern(100_001), of: 50_000), 413),
                ] {
                    let client = try server.client()
                    try client.send(bytes)
                    client.endSending()
                    let response = try client.response()
                    #expect(response.status == status && closes(response))
                }
                #expect(!server.errors.contains("/reads"), "no line: \(server.errors)")
            }
        }

        @Test func aClientThatResetsItsConnectionFreesTheThreadThatReads() throws {
            try withReader("threads: { min: 2, max: 2 }") { server in
                for query in ["all", "pending"] {
                    try beginToSendAndReset(server, query)
                    #expect(try server.get("/hello").status == 200)
                    let isLogged = eventually {
                        server.accessLog.contains("POST /reads?\(query) HTTP/1.1\" 499")
                    }
                    #expect(isLogged, "\(server.accessLog)")
                }
            }
        }

        private func beginToSendAndReset(_ server: ServerProcess, _ query: String) throws {
            let client = try server.client()
            try client.send(head(query, "Content-Length: 60000\r\nExpect: 100-continue"))
            #expect(try client.responseHead().status == 100)
            client.resetOnClose()
        }

        @Test func whenHalfOfTheThreadsMayWaitAlreadyTheWholeBodyIsReceivedFirst() throws {
            try withReader("threads: { min: 2, max: 2 }") { server in
                let first = try server.client()
                try first.send(head("all", "Content-Length: 60000\r\nExpect: 100-continue"))
                #expect(try first.responseHead().status == 100)
                let second = try server.client()
                try second.send(head("refuse", "Content-Length: 60000\r\nExpect: 100-continue"))
                #expect(try second.responseHead().status == 100)
                try second.send(pattern(60_000))
                let response = try second.response()
                #expect(response.status == 403 && !closes(response))
                try first.send(pattern(60_000))
                #expect(try first.response().status == 200)
            }
        }
    }
}
