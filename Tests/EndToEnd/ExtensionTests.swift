// What an extension does to its server, in either home.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
import Testing
import TestSupport

private let site = """
    threads: { min: 2, max: 32 }
    timeouts: { request: 3 }
    extensions:
      inside:  { library: LIBRARY, thread-safe: true }
      outside: { library: LIBRARY, thread-safe: false, pool: { processes: 2, request-timeout: 3 } }
      hello:   { library: hello, thread-safe: true }
    sites:
      - name: main
        root: www
        handlers:
          - { path: /inside,  extension: inside }
          - { path: /outside, extension: outside }
          - { path: /hello,   extension: hello }
    """

extension EndToEndTests {
    @Suite("Unruly extensions", .serialized, .timeLimit(.minutes(5)))
    struct ExtensionTests {
        private func withUnruly(_ body: (ServerProcess) throws -> Void) throws {
            let library = try Package.misbehaving("unruly")
            try withServer(
                site.replacingOccurrences(of: "LIBRARY", with: library), files: plainFiles, body)
        }

        /// Everybody may read the arguments of a process (man 5 proc).
        @Test func aSettingIsNotAmongTheArgumentsOfAWorker() throws {
            let secret = site.replacingOccurrences(
                of: "outside: {", with: "outside: { settings: { PASSWORD: hush-hush },")
            let library = try Package.misbehaving("unruly")
            let text = secret.replacingOccurrences(of: "LIBRARY", with: library)
            try withServer(text, files: plainFiles) { server in
                let answer = try server.get("/outside")
                #expect(answer.text == "ready\n")
                let workers = server.children.filter { $0.command.contains(" worker ") }
                #expect(!workers.isEmpty)
                #expect(!workers.contains { $0.command.contains("hush") })
            }
        }

        @Test func aPendingCallIsCompletedFromAnotherThread() throws {
            try withUnruly { server in
                for home in ["/inside", "/outside"] {
                    let client = try server.client()
                    #expect(try client.exchange("GET", home + "?later=50").text == "later\n")
                    #expect(try client.exchange("GET", home + "?later=0").text == "later\n")
                    #expect(try client.exchange("GET", home).text == "ready\n")
                }
            }
        }

        @Test func pendingCallsHoldNoThread() throws {
            try withUnruly { server in
                // Far more than threads.max.
                let clients = try (0..<100).map { _ in try server.client() }
                for client in clients {
                    try client.send("GET /inside?later=1000 HTTP/1.1\r\nHost: a\r\n\r\n")
                }
                #expect(try server.get("/hello").status == 200)
                for client in clients { #expect(try client.response().text == "later\n") }
            }
        }

        @Test func blockedCallsCostTheirThreadsAndNothingElse() throws {
            try withUnruly { server in
                let clients = try (0..<16).map { _ in try server.client() }
                for client in clients {
                    try client.send("GET /inside?sleep=1500 HTTP/1.1\r\nHost: a\r\n\r\n")
                }
                #expect(try server.get("/hello").status == 200)
                #expect(try server.get("/file.txt").status == 200)
                for client in clients { #expect(try client.response().text == "slept\n") }
            }
        }

        @Test func aCallThatNeverCompletesIsEndedByItsDeadline() throws {
            try withUnruly { server in
                for home in ["/inside", "/outside"] {
                    let ended = try server.get(home + "?pending")
                    #expect(ended.status == 504)
                    #expect(try server.get(home).text == "ready\n")
                }
            }
        }

        @Test func aHandleUsedAfterTheEndReturnsFalse() throws {
            try withUnruly { server in
                // One worker process: the request that asks must reach the one that remembers.
                for _ in 0..<2 {
                    let client = try server.client()
                    #expect(try client.exchange("GET", "/inside?ended").text == "ended\n")
                    // A response on the same connection must not get the ghost's bytes.
                    #expect(try client.exchange("GET", "/inside?sleep=600").text == "slept\n")
                    #expect(try client.exchange("GET", "/inside?stale").text == "0\n")
                }
            }
        }

        @Test func aBlockUsedAfterItsEndReachesNoLaterRequest() throws {
            try withUnruly { server in
                for home in ["/inside", "/outside"] {
                    let client = try server.client()
                    #expect(try client.exchange("GET", home + "?ghost").text == "ghost\n")
                    #expect(try client.exchange("GET", home + "?pieces=600").text == "first last\n")
                }
                #expect(try server.get("/inside?ghost").text == "ghost\n")
                let isRefused = try eventually {
                    try server.get("/inside?stale").text == "0\n"
                }
                #expect(isRefused)
            }
        }

        @Test func endingTwiceAndThenAgainIsOneEnd() throws {
            try withUnruly { server in
                for home in ["/inside", "/outside"] {
                    let client = try server.client()
                    #expect(try client.exchange("GET", home + "?twice").text == "twice\n")
                    #expect(try client.exchange("GET", home).text == "ready\n")
                }
            }
        }

        @Test func aCallWithoutAResponseIsTheSameInBothHomes() throws {
            try withUnruly { server in
                for query in ["nothing", "error"] {
                    let inside = try server.get("/inside?" + query)
                    let outside = try server.get("/outside?" + query)
                    #expect(inside.status == outside.status)
                    #expect(inside.body == outside.body)
                }
                #expect(try server.get("/inside?error").status >= 500)
            }
        }

        @Test(arguments: ["segv", "abort"])
        func aCrashOutsideCostsExactlyItsRequest(_ how: String) throws {
            try withUnruly { server in
                let host = server.host
                for _ in 0..<3 { #expect(try server.get("/outside?" + how).status == 502) }
                let works = try eventually {
                    try server.get("/outside").text == "ready\n"
                }
                #expect(works)
                #expect(try server.get("/hello").status == 200)
                #expect(server.host == host)
            }
        }

        @Test(arguments: ["segv", "abort"])
        func aCrashInsideCostsItsHostAndRefusesNobody(_ how: String) throws {
            try withUnruly { server in
                let host = server.host
                let client = try server.client()
                try client.send("GET /inside?\(how) HTTP/1.1\r\nHost: a\r\n\r\n")
                let ending = #expect(throws: ClientError.self) { try client.response() }
                #expect(ending != .timedOut)
                for _ in 0..<20 { #expect(try server.get("/hello").status == 200) }
                #expect(server.host != host)
                #expect(server.process.poll() == nil)
            }
        }
    }
}
