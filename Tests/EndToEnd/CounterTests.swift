// An extension that is not thread-safe never sees two requests at once in one process.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing
import TestSupport

private struct Count: Decodable {
    var count: Int
    var pid: Int
    var overlaps: Int
}

private func count(_ response: HTTPResponse) throws -> Count {
    try JSONDecoder().decode(Count.self, from: Data(response.body))
}

extension EndToEndTests {
    @Suite("Isolation", .serialized, .timeLimit(.minutes(5)))
    struct CounterTests {
        @Test func requestsOfManyClientsNeverOverlapInAProcess() throws {
            try withServer(plainSite, files: plainFiles) { server in
                let counts = Locked<[Int: Int]>([:])
                let load = Load(
                    .init(
                        port: server.port, target: "/counter", clients: 32, requests: 5000,
                        check: { response in
                            guard let count = try? count(response) else {
                                return "no count: \(response.text)"
                            }
                            counts.withLock { $0[count.pid, default: 0] += 1 }
                            return count.overlaps == 0 ? nil : "\(count.overlaps) overlaps"
                        }))
                let report = load.wait()
                #expect(report.answered == [200: 5000])
                #expect(report.failed.isEmpty)
                #expect(report.wrong.isEmpty)
                #expect(counts.current.count > 1, "the work was spread")
                #expect(counts.current.values.reduce(0, +) == 5000)
            }
        }

        @Test func noCountIsLost() throws {
            let site = plainSite.replacingOccurrences(of: "processes: 4", with: "processes: 1")
            try withServer(site, files: plainFiles) { server in
                let highest = Locked(0)
                let load = Load(
                    .init(
                        port: server.port, target: "/counter", clients: 16, requests: 1000,
                        check: { response in
                            guard let count = try? count(response) else { return "no count" }
                            highest.withLock { $0 = max($0, count.count) }
                            return nil
                        }))
                #expect(load.wait().wrong.isEmpty)
                #expect(highest.current == 1000)
            }
        }

        @Test func aWorkerEndsAfterItsRequestsAndItsSuccessorGoesOn() throws {
            let site = plainSite.replacingOccurrences(
                of: "processes: 4", with: "processes: 2, max-requests: 50")
            try withServer(site, files: plainFiles) { server in
                let pids = Locked<Set<Int>>([])
                let load = Load(
                    .init(
                        port: server.port, target: "/counter", clients: 8, requests: 1000,
                        check: { response in
                            guard let count = try? count(response) else { return "no count" }
                            pids.withLock { _ = $0.insert(count.pid) }
                            return count.count <= 50
                                ? nil : "\(count.count) requests in one process"
                        }))
                let report = load.wait()
                #expect(report.answered == [200: 1000])
                #expect(report.failed.isEmpty)
                #expect(report.wrong.isEmpty)
                #expect(pids.current.count >= 20)
            }
        }

        /// An upload that the extension does not read costs neither the client its answer nor the worker.
        @Test func aLargeBodyThatNobodyReadsHarmsNobody() throws {
            let site = plainSite.replacingOccurrences(of: "processes: 4", with: "processes: 1")
            try withServer(site, files: plainFiles) { server in
                let client = try server.client()
                let body = [UInt8](repeating: 0x62, count: 100_000_000)
                let first = try count(client.exchange("POST", "/counter", body: body))
                for expected in 2...5 {
                    let next = try count(client.exchange("POST", "/counter", body: [1, 2, 3]))
                    #expect(next.pid == first.pid && next.count == expected)
                }
                #expect(!server.errors.contains("pool counter"), "\(server.errors)")
            }
        }

        @Test func aFullQueueAnswers503WithRetryAfter() throws {
            let library = try Package.misbehaving("unruly")
            let site = """
                extensions:
                  slow: { library: \(library), thread-safe: false, pool: { processes: 1, queue: { length: 2, timeout: 5 } } }
                sites: [{ name: main, root: www, handlers: [{ path: /slow, extension: slow }] }]
                """
            try withServer(site, files: plainFiles) { server in
                #expect(try server.get("/slow").status == 200)
                let clients = try (0..<8).map { _ in try server.client() }
                for client in clients {
                    try client.send("GET /slow?sleep=500 HTTP/1.1\r\nHost: a\r\n\r\n")
                }
                let responses = try clients.map { try $0.response() }
                let refused = responses.filter { $0.status == 503 }
                #expect(responses.filter { $0.status == 200 }.count == 3)
                #expect(refused.count == 5)
                for response in refused { #expect(response.value("Retry-After") != nil) }
                #expect(try server.get("/slow").status == 200)
            }
        }
    }
}
