// A FastCGI program that breaks the protocol harms nobody but itself.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
import Testing
import TestSupport

private let site = """
    pools:
      evil:
        command: [PACKAGE/Tests/Misbehaving/evilfcgi]
        processes: { min: 1, max: 2 }
        activity-timeout: 2
        request-timeout: 4
      deaf:
        command: [PACKAGE/Tests/Misbehaving/evilfcgi, --never-accept]
        processes: 1
        activity-timeout: 2
        request-timeout: 3
        queue: { length: 2, timeout: 2 }
      closing:
        command: [PACKAGE/Tests/Misbehaving/closingfcgi]
        processes: 2
      ending:
        command: [PACKAGE/Tests/Misbehaving/closingfcgi, "20"]
        processes: 2
    sites:
      - name: main
        root: www
        handlers:
          - { path: /evil, pool: evil }
          - { path: /deaf, pool: deaf }
          - { path: /closing, pool: closing }
          - { path: /ending, pool: ending }
    """.replacingOccurrences(of: "PACKAGE", with: Package.folder)

extension EndToEndTests {
    @Suite(
        "Evil FastCGI programs", .serialized, .server(site, files: plainFiles),
        .timeLimit(.minutes(5)))
    struct FastCGITests {
        private func expectTheNextOneWorks() throws {
            let server = try SharedServer.current
            let works = try eventually { try server.get("/evil?good").text == "good\n" }
            #expect(works)
        }

        @Test(arguments: [
            "version", "type-0", "type-200", "begin", "request-0", "other-request", "length-lies",
            "end-first",
            "no-head", "huge-head", "status-text", "status-99", "status-1000", "two-status",
            "nul-in-value",
            "cr-in-value", "space-in-name", "two-lengths", "length-text", "length-negative",
            "exit-status",
            "cannot-multiplex", "unknown-role", "die-before-answer", "close",
        ])
        func aResponseThatBreaksTheProtocolIsABadGateway(_ what: String) throws {
            let response = try SharedServer.current.get("/evil?\(what)")
            #expect(response.status == 502, "\(response.text)")
            try expectTheNextOneWorks()
        }

        @Test func anOverloadedProgramIsUnavailable() throws {
            let response = try SharedServer.current.get("/evil?overloaded")
            #expect(response.status == 503)
            #expect(response.value("Retry-After") != nil)
            try expectTheNextOneWorks()
        }

        @Test(arguments: [
            "unknown-management", "end-twice", "bytes-after", "bare-lf", "padding", "single-bytes",
            "chunked",
        ])
        func aResponseWithOddFramingIsReadRight(_ what: String) throws {
            let response = try SharedServer.current.get("/evil?\(what)")
            #expect(response.status == 200)
            if what != "chunked" { #expect(response.text == "good\n") }
            try expectTheNextOneWorks()
        }

        @Test func theLargestRecordArrivesWhole() throws {
            let response = try SharedServer.current.get("/evil?largest")
            #expect(response.body == [UInt8](repeating: 0x78, count: 65535))
        }

        @Test(arguments: ["no-end", "die-in-body", "less-than-length"])
        func aResponseCutInItsBodyIsSeenAsCut(_ what: String) throws {
            let client = try SharedServer.current.client()
            try client.send("GET /evil?\(what) HTTP/1.1\r\nHost: localhost\r\n\r\n")
            #expect(throws: ClientError.truncated) { try client.response() }
            try expectTheNextOneWorks()
        }

        @Test func bytesBeyondTheLengthNeverReachTheClient() throws {
            let client = try SharedServer.current.client()
            for _ in 0..<2 {
                #expect(try client.exchange("GET", "/evil?more-than-length").text == "1234")
            }
        }

        @Test func localRedirectsInACircleEnd() throws {
            #expect(try SharedServer.current.get("/evil?local-redirect-loop").status == 502)
        }

        @Test func standardErrorCannotForgeALogLine() throws {
            let server = try SharedServer.current
            #expect(try server.get("/evil?log-forgery").text == "good\n")
            #expect(eventually { server.errors.contains("forged line") })
            #expect(!server.errors.contains("\n2026-01-01 forged line"))
            #expect(!server.errors.contains("\u{1b}"))
        }

        @Test func aFloodOnStandardErrorDoesNotHideTheResponse() throws {
            let server = try SharedServer.current
            #expect(try server.get("/evil?stderr-flood").text == "good\n")
            #expect(server.errors.utf8.count < 4 << 20)
        }

        /// Whether the error log says anything about the pool.
        private func complaints(about pool: String) throws -> [Substring] {
            try SharedServer.current.errors.split(separator: "\n").filter {
                $0.contains("pool \(pool)")
            }
        }

        @Test func aProgramThatClosesAfterEachAnswerLosesNothingAndKeepsItsProcess() throws {
            let server = try SharedServer.current
            let pids = Locked<Set<Substring>>([])
            let load = Load(
                .init(
                    port: server.port, target: "/closing", clients: 4, requests: 400,
                    check: { response in
                        pids.withLock { _ = $0.insert(response.text.split(separator: " ")[0]) }
                        return nil
                    }))
            #expect(load.wait().answered == [200: 400])
            // A host that has not used a connection leaves it to the next one.
            for _ in 0..<3 { try server.reload() }
            #expect(try server.get("/closing").status == 200)
            #expect(pids.current.count <= 2)
            #expect(try complaints(about: "closing").isEmpty)
        }

        @Test func aProgramThatEndsByItselfLosesNoPost() throws {
            let server = try SharedServer.current
            let body = [UInt8](repeating: 0x62, count: 1000)
            var pids: Set<Substring> = []
            for _ in 0..<300 {
                let response = try server.client().exchange("POST", "/ending", body: body)
                #expect(response.status == 200, "\(response.text)")
                let words = response.text.split(separator: " ")
                #expect(words.last == "1000")
                pids.insert(words.first ?? "")
            }
            #expect(pids.count >= 15)
            #expect(try complaints(about: "ending").isEmpty)
        }

        @Test func aClientThatHasSentAllItWantsGetsItsAnswerFromAPool() throws {
            let client = try SharedServer.current.client()
            try client.send("GET /evil?late HTTP/1.1\r\nHost: localhost\r\n\r\n")
            shutdown(client.descriptor, Int32(SHUT_WR))
            #expect(try client.response().text == "good\n")
        }

        @Test(arguments: ["error-drip", "error-flood"])
        func aProgramThatSaysNothingButErrorsIsAnswered504(_ what: String) throws {
            #expect(try SharedServer.current.get("/evil?\(what)").status == 504)
            try expectTheNextOneWorks()
        }

        @Test func anAnswerThatTakesLongerThanItsTotalIsCut() throws {
            let client = try SharedServer.current.client()
            try client.send("GET /evil?drip HTTP/1.1\r\nHost: localhost\r\n\r\n")
            #expect(throws: ClientError.truncated) { try client.response() }
            try expectTheNextOneWorks()
        }

        @Test func aSilentProgramIsAnswered504AndReplaced() throws {
            #expect(try SharedServer.current.get("/evil?silent").status == 504)
            try expectTheNextOneWorks()
        }

        @Test func aProgramThatNeverAcceptsCostsOnlyItsOwnRequests() throws {
            let server = try SharedServer.current
            let clients = try (0..<6).map { _ in try server.client() }
            for client in clients {
                try client.send("GET /deaf HTTP/1.1\r\nHost: localhost\r\n\r\n")
            }
            #expect(try server.get("/file.txt").status == 200)
            for client in clients {
                let status = try client.response().status
                #expect([502, 503, 504].contains(status), "\(status)")
            }
            try expectTheNextOneWorks()
        }
    }
}
