// Processes die under load; their requests fail, nobody else's.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
import Testing
import TestSupport

extension EndToEndTests {
    @Suite("Deaths", .serialized, .timeLimit(.minutes(5)))
    struct FaultTests {
        @Test(arguments: [SIGKILL, SIGSEGV])
        func aKilledWorkerCostsOnlyItsOwnRequest(_ signal: Int32) throws {
            try withServer(plainSite, files: plainFiles) { server in
                // Who has answered has started: one that ends before that is another fault.
                let answering = Locked(Int32(0))
                let load = Load(
                    .init(
                        port: server.port, target: "/counter", clients: 16,
                        check: { response in
                            if let pid = response.text.firstMatch(of: /"pid": (\d+)/)?.1 {
                                answering.withLock { $0 = Int32(pid) ?? 0 }
                            }
                            return nil
                        }))
                load.waitFor(answers: 500)
                let killed = 10
                for _ in 0..<killed {
                    var worker: ProcessIdentity?
                    eventually {
                        let pid = answering.current
                        worker = server.children(running: " worker ").first { $0.pid == pid }
                        return worker != nil
                    }
                    try #require(worker).kill(signal)
                    load.waitFor(answers: load.report.total + 20)
                }
                load.waitFor(answers: load.report.total + 500)
                let report = load.finish()
                #expect(report.failed.isEmpty)
                #expect(Set(report.answered.keys).isSubset(of: [200, 502]), "\(report.answered)")
                #expect(report.answered[502, default: 0] <= killed)
                let next = try server.get("/counter")
                #expect(next.status == 200)
            }
        }

        /// The supervisor stands still meanwhile, so the host learns of the deaths from its connections.
        @Test func idleWorkersThatAreKilledAllAtOnceCostNoRequest() throws {
            try withServer(plainSite, files: plainFiles) { server in
                let answering = Locked<Set<Substring>>([])
                let load = Load(
                    .init(
                        port: server.port, target: "/counter", clients: 8,
                        check: { response in
                            if let pid = response.text.firstMatch(of: /"pid": (\d+)/)?.1 {
                                answering.withLock { _ = $0.insert(pid) }
                            }
                            return nil
                        }))
                #expect(eventually { answering.current.count == 4 })
                #expect(load.finish().failed.isEmpty)
                let workers = server.children(running: " worker ")
                let clients = try workers.map { _ in try server.client() }
                server.process.signal(SIGSTOP)
                defer { server.process.signal(SIGCONT) }
                for worker in workers { worker.kill(SIGKILL) }
                #expect(eventually { !workers.contains { $0.isAlive } })
                for client in clients {
                    try client.send("GET /counter HTTP/1.1\r\nHost: a\r\n\r\n")
                }
                #expect(
                    eventually {
                        server.errors.components(separatedBy: "could not be reached").count > 4
                    })
                server.process.signal(SIGCONT)
                for client in clients { #expect(try client.response().status == 200) }
            }
        }

        @Test func aKilledHostIsReplacedAndNoConnectionIsRefused() throws {
            try withServer(plainSite, files: plainFiles) { server in
                let load = Load(
                    .init(port: server.port, target: "/hello", clients: 8, keepsConnections: false))
                load.waitFor(answers: 200)
                for _ in 0..<3 {
                    let before = try #require(server.host)
                    before.kill(SIGKILL)
                    #expect(eventually { server.host.map { $0 != before } ?? false })
                    load.waitFor(answers: load.report.total + 200)
                }
                let report = load.finish()
                #expect(report.failed["refused"] == nil)
                #expect(report.failed["timed out"] == nil)
                // At most what was in flight at each death.
                #expect(report.failures <= 3 * 8, "\(report.failed)")
                #expect(Set(report.answered.keys) == [200])
                #expect(try server.get("/counter").status == 200)
            }
        }

        /// Fault 22: lines gather in memory, which a killed host does not take with it.
        @Test func aKilledHostLosesNoLineOfTheAccessLogAndWritesNoneTwice() throws {
            try withServer(plainSite, files: plainFiles) { server in
                var asked: [String] = []
                var before: ProcessIdentity?
                for round in 0..<10 {
                    var found: ProcessIdentity?
                    eventually {
                        found = server.host
                        return found != nil && found != before
                    }
                    let host = try #require(found)
                    let clients = try (0..<4).map { _ in try server.client() }
                    for number in 0..<25 {
                        for (index, client) in clients.enumerated() {
                            let target = "/hello?\(round)-\(index)-\(number)"
                            #expect(try client.exchange("GET", target).status == 200)
                            asked.append("GET \(target) HTTP")
                        }
                    }
                    // A line is earned when its response is sent: an answer that was read proves it of the
                    // one before it on the same connection.
                    for client in clients { _ = try client.exchange("GET", "/hello?last") }
                    host.kill(SIGKILL)
                    before = host
                }
                #expect(eventually { server.host.map { $0 != before } ?? false })
                #expect(try server.get("/hello?last").status == 200)
                let log = server.accessLog
                for request in asked {
                    let lines = log.components(separatedBy: request).count - 1
                    #expect(lines == 1, "\(request) has \(lines) lines")
                }
            }
        }

        @Test func aHostThatIsStoppedIsReplaced() throws {
            try withServer(plainSite, files: plainFiles) { server in
                // A host answers before the supervisor has heard that it is ready; one that never becomes
                // ready is another fault.
                #expect(eventually { server.errors.contains("serving on") })
                let before = try #require(server.host)
                before.kill(SIGSTOP)
                #expect(eventually { server.host.map { $0 != before } ?? false })
                #expect(try server.get("/hello").status == 200)
                #expect(
                    eventually { server.errors.contains("stood still (its clock has not ticked") })
            }
        }

        /// Fault 4: idle connections do not take the descriptors that requests need.
        @Test func descriptorsAreLeftForWorkersHoweverManyClientsConnect() throws {
            let site = plainSite.replacingOccurrences(
                of: "processes: 4", with: "processes: { min: 0, max: 2 }")
            try withServer(site, files: plainFiles, openFiles: 256) { server in
                let host = try #require(server.host)
                #expect(server.errors.contains("may open only 256 files"))
                var others: [RawClient] = []
                for _ in 0..<300 { others.append(try server.client()) }
                // It needs a worker, and with it descriptors.
                #expect(try server.get("/counter").status == 200)
                #expect(try server.get("/hello").status == 200)
                #expect(server.host == host)
                #expect(!server.errors.contains("nonsense"))
                withExtendedLifetime(others) {}
            }
        }

        @Test func aKilledSupervisorLeavesNoProcess() throws {
            try withServer(plainSite, files: plainFiles) { server in
                let first = try server.get("/counter")
                #expect(first.status == 200)
                let children = server.children.map(\.identity)
                #expect(children.count >= 2)
                server.process.signal(SIGKILL)
                #expect(server.process.wait(seconds: 60) == .killed(SIGKILL))
                server.expectGone(children)
            }
        }

        @Test func nothingIsLeftAfterManyDeaths() throws {
            try withServer(plainSite, files: plainFiles) { server in
                func descriptors() -> Int { ProcessTree.descriptorCount(server.process.pid) }
                #expect(try server.get("/counter").status == 200)
                let before = descriptors()
                for _ in 0..<10 {
                    server.children(running: " worker ").first?.kill(SIGKILL)
                    _ = try server.get("/counter")
                }
                let settles = try eventually {
                    _ = try server.get("/counter")
                    return descriptors() <= before + 4
                }
                #expect(settles, "\(before) descriptors became \(descriptors())")
                #expect(eventually { !server.children.contains { $0.state == "Z" } })
            }
        }

        @Test func terminationLetsRequestsInFlightFinish() throws {
            let library = try Package.misbehaving("unruly")
            let site = """
                extensions:
                  unruly: { library: \(library), thread-safe: true }
                  apart:  { library: \(library), thread-safe: false, pool: { processes: 1 } }
                sites:
                  - name: main
                    root: www
                    handlers:
                      - { path: /unruly, extension: unruly }
                      - { path: /apart,  extension: apart }
                """
            try withServer(site, files: plainFiles) { server in
                let idle = try server.client()
                #expect(try idle.exchange("GET", "/file.txt").status == 200)
                let inside = try server.client()
                let outside = try server.client()
                try inside.send("GET /unruly?pieces=1500 HTTP/1.1\r\nHost: a\r\n\r\n")
                try outside.send("GET /apart?pieces=1500 HTTP/1.1\r\nHost: a\r\n\r\n")
                #expect(try inside.wait(for: "first "))
                #expect(try outside.wait(for: "first "))
                let children = server.children.map(\.identity)
                server.process.signal(SIGTERM)
                #expect(try inside.response().text == "first last\n")
                #expect(try outside.response().text == "first last\n")
                #expect(try idle.everything().isEmpty)
                #expect(
                    server.process.wait(seconds: 60) == .exited(0), "\(server.errors.suffix(2000))")
                #expect(throws: ClientError.self) { try server.client() }
                server.expectGone(children)
            }
        }
    }
}
