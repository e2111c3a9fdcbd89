// Requests that wait for a worker: what resumes is what waited, with what it waited for.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
import Testing
import TestSupport

private let site = """
    extensions:
      inside:  { library: LIBRARY, thread-safe: true }
      outside: { library: LIBRARY, thread-safe: false, pool: { processes: 1 } }
    pools:
      a: { command: [PACKAGE/Tests/Misbehaving/evilfcgi, A], processes: 1 }
      b: { command: [PACKAGE/Tests/Misbehaving/evilfcgi, B], processes: 1 }
    sites:
      - name: main
        root: www
        handlers:
          - { path: /inside,  extension: inside }
          - { path: /outside, extension: outside }
          - { path: /a, pool: a }
          - { path: /b, pool: b }
    """.replacingOccurrences(of: "PACKAGE", with: Package.folder)

private func request(_ target: String) -> String { "GET \(target) HTTP/1.1\r\nHost: x\r\n\r\n" }

extension EndToEndTests {
    @Suite("Waiting for a worker", .serialized, .timeLimit(.minutes(5)))
    struct ParkingTests {
        private func withPools(_ body: (ServerProcess) throws -> Void) throws {
            let library = try Package.misbehaving("unruly")
            try withServer(site.replacingOccurrences(of: "LIBRARY", with: library), body)
        }

        /// Fault 2: a request that goes from one pool to another that is busy.
        @Test func aLocalRedirectToABusyPoolIsAnsweredByThatPoolAndNoWorkerChangesItsPool() throws {
            try withPools { server in
                for _ in 0..<3 {
                    let busy = try (0..<2).map { _ in
                        let client = try server.client()
                        try client.send(request("/b?late"))
                        return client
                    }
                    #expect(try server.get("/a?redirect-to-b").text == "B\n")
                    for client in busy { #expect(try client.response().text == "good\n") }
                    for _ in 0..<4 { #expect(try server.get("/a?name").text == "A\n") }
                    #expect(try server.get("/b?name").text == "B\n")
                }
            }
        }

        /// The thread that frees the worker goes on with its own connection, into a call of an extension's.
        @Test func whoHasBeenGivenAWorkerDoesNotWaitForAnothersCall() throws {
            try withPools { server in
                #expect(try server.get("/outside").status == 200)
                let first = try server.client()
                try first.send(request("/outside?sleep=600"))
                usleep(150_000)
                let second = try server.client()
                try second.send(request("/outside?sleep=0"))
                usleep(150_000)
                // Longer than anybody waits for an answer here.
                try first.send(request("/inside?sleep=600000"))
                #expect(try second.response().status == 200)
                #expect(try first.response().status == 200)
                server.process.signal(SIGKILL)
                #expect(server.process.wait(seconds: 60) == .killed(SIGKILL))
            }
        }

        /// Fault 3: whatever the kernel takes of what stands before it.
        @Test func aRequestBehindAnAnswerThatNobodyReadsHoldsNoWorker() throws {
            try withPools { server in
                let targets = ["/outside", "/inside?later=20"]
                var slow: [(client: RawClient, size: Int, target: String)] = []
                for size in stride(from: 500_000, through: 6_000_000, by: 500_000) {
                    let name = "file-\(size).html"
                    try server.site.write("www/\(name)", [UInt8](repeating: 0x78, count: size))
                    for target in targets {
                        let client = try server.client()
                        try client.send(request("/\(name)") + request(target))
                        slow.append((client, size, target))
                    }
                    for target in targets { #expect(try server.get(target).status == 200) }
                }
                for (client, size, target) in slow {
                    #expect(try client.response().body.count == size)
                    let text = try client.response().text
                    #expect(text == (target == "/outside" ? "ready\n" : "later\n"))
                }
            }
        }

        /// Fault 6: the connection that had the worker goes on with something slow.
        @Test func aWorkerHandedOverDoesNotWaitForTheRequestBehindItsLast() throws {
            try withPools { server in
                let first = try server.client()
                try first.send(request("/outside?sleep=300") + request("/inside?sleep=5000"))
                #expect(try server.get("/outside").text == "ready\n")
                #expect(try first.response().status == 200)
                var byte: UInt8 = 0
                let count = recv(
                    first.descriptor, &byte, 1, Int32(MSG_PEEK | MSG_DONTWAIT))
                #expect(count == -1, "the slow request is not through yet")
            }
        }
    }
}
