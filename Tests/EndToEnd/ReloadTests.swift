// A new configuration comes into use without a request failing.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
import Testing
import TestSupport

extension EndToEndTests {
    @Suite("Reload", .serialized, .timeLimit(.minutes(5)))
    struct ReloadTests {
        @Test func twentyReloadsUnderLoadFailNoRequest() throws {
            try withServer(plainSite, files: plainFiles) { server in
                let loads = [
                    Load(.init(port: server.port, target: "/hello", clients: 4)),
                    Load(
                        .init(
                            port: server.port, target: "/hello", clients: 2, keepsConnections: false
                        )),
                    Load(.init(port: server.port, target: "/counter", clients: 4)),
                    Load(.init(port: server.port, target: "/file.txt", clients: 2)),
                ]
                for load in loads { load.waitFor(answers: 50) }
                for _ in 0..<20 { try server.reload() }
                for load in loads {
                    load.waitFor(answers: load.report.total + 50)
                    let report = load.finish()
                    #expect(report.failed.isEmpty)
                    #expect(Set(report.answered.keys) == [200], "\(report.answered)")
                }
            }
        }

        /// No process of a pool can be connected any more: all are replaced, and no request pays for it.
        @Test func aRuntimeFolderThatWasRemovedAndMadeAnewCostsNoRequest() throws {
            let site = """
                pools:
                  closing:
                    command: [\(Package.folder)/Tests/Misbehaving/closingfcgi]
                    processes: 4
                \(plainSite)
                      - { path: /closing, pool: closing }
                """
            try withServer(site, files: plainFiles) { server in
                for target in ["/closing", "/counter"] {
                    let load = Load(
                        .init(port: server.port, target: target, clients: 8, requests: 200))
                    #expect(load.wait().answered == [200: 200])
                }
                let folder = try #require(server.runtimeFolder)
                try FileManager.default.removeItem(atPath: folder)
                try FileManager.default.createDirectory(
                    atPath: folder, withIntermediateDirectories: false,
                    attributes: [.posixPermissions: 0o700])
                try server.reload()
                for target in ["/closing", "/counter", "/hello"] {
                    let load = Load(
                        .init(port: server.port, target: target, clients: 4, requests: 40))
                    #expect(load.wait().answered == [200: 40], "\(server.errors.suffix(2000))")
                }
            }
        }

        @Test func anIdleConnectionOutlivesItsHost() throws {
            try withServer(plainSite, files: plainFiles) { server in
                let client = try server.client()
                for _ in 0..<3 {
                    #expect(try client.exchange("GET", "/hello").status == 200)
                    try server.reload()
                }
                #expect(try client.exchange("GET", "/counter").status == 200)
            }
        }

        @Test func theNewConfigurationAnswers() throws {
            try withServer(plainSite, files: plainFiles) { server in
                #expect(try server.get("/new").status == 404)
                #expect(try server.get("/echo").text.contains("\"inProcess\": 0,"))
                let flipped =
                    plainSite
                    .replacingOccurrences(
                        of: "echo,  thread-safe: true", with: "echo, thread-safe: false"
                    )
                    .replacingOccurrences(
                        of: "echo, thread-safe: true", with: "echo, thread-safe: false")
                try server.write(flipped + "\n      - { path: /new, redirect: /file.txt }")
                try server.reload()
                #expect(try server.get("/new").value("Location") == "/file.txt")
                #expect(try !server.get("/echo").text.contains("\"inProcess\": 0,"))
            }
        }

        @Test(arguments: [
            "sites: [", "sites: []", "sites:\n  - nmae: main\n    root: www",
            "limits: { body: lots }\nsites: [{ root: www }]",
        ])
        func aBrokenConfigurationKeepsTheOldOneAndSaysWhy(_ broken: String) throws {
            try withServer(plainSite, files: plainFiles) { server in
                let host = server.host
                let client = try server.client()
                #expect(try client.exchange("GET", "/hello").status == 200)
                try server.write(broken)
                server.process.signal(SIGHUP)
                #expect(
                    eventually { server.errors.contains("site.yaml:") },
                    "\(server.errors)")
                #expect(server.host == host)
                #expect(try client.exchange("GET", "/hello").status == 200)
                #expect(try server.get("/counter").status == 200)
                try server.write(plainSite)
                try server.reload()
                #expect(try server.get("/hello").status == 200)
            }
        }

        @Test func aHundredSignalsAtOnceAreFewReloads() throws {
            try withServer(plainSite, files: plainFiles) { server in
                let load = Load(.init(port: server.port, target: "/hello", clients: 4))
                load.waitFor(answers: 50)
                for _ in 0..<100 {
                    server.process.signal(SIGHUP)
                    usleep(5_000)
                }
                #expect(eventually { server.hosts.count == 1 })
                load.waitFor(answers: load.report.total + 50)
                let report = load.finish()
                #expect(report.failed.isEmpty)
                #expect(Set(report.answered.keys) == [200])
            }
        }

        @Test func overlappingReloadsUnderSlowRequestsLoseNothing() throws {
            let library = try Package.misbehaving("unruly")
            let site = plainSite.replacingOccurrences(
                of: "extensions:\n",
                with: "extensions:\n  unruly: { library: \(library), thread-safe: true }\n"
            ).replacingOccurrences(
                of: "handlers:\n",
                with: "handlers:\n      - { path: /unruly, extension: unruly }\n")
            try withServer(site, files: plainFiles) { server in
                let loads = [
                    Load(.init(port: server.port, target: "/hello", clients: 2)),
                    Load(
                        .init(
                            port: server.port, target: "/hello", clients: 2, keepsConnections: false
                        )),
                    Load(.init(port: server.port, target: "/counter", clients: 2)),
                    // Each outlives several hosts' time as the newest.
                    Load(.init(port: server.port, target: "/unruly?sleep=1000", clients: 8)),
                ]
                for load in loads { load.waitFor(answers: 8) }
                let before = server.errors.components(separatedBy: "is in force").count
                for _ in 0..<100 {
                    server.process.signal(SIGHUP)
                    usleep(50_000)
                }
                for load in loads {
                    load.waitFor(answers: load.report.total + 8)
                    let report = load.finish()
                    #expect(report.failed.isEmpty, "\(report.failed)")
                    #expect(Set(report.answered.keys) == [200], "\(report.answered)")
                }
                let after = server.errors.components(separatedBy: "is in force").count
                #expect(after - before > 3)
                #expect(!server.errors.contains("nonsense"))
                #expect(eventually { server.hosts.count == 1 })
            }
        }

        /// Although the host that leaves still has the listener, for a request that is under way.
        @Test func anAddressThatIsNoLongerConfiguredIsFreeAtOnce() throws {
            let other = ServerProcess.freePort()
            try withServer(plainSite, files: plainFiles) { server in
                func reload(with ports: [UInt16], number: Int) throws {
                    let places = ports.map { "127.0.0.1:\($0)" }.joined(separator: ", ")
                    try server.write("listen: [\(places)]\n\(plainSite)")
                    server.process.signal(SIGHUP)
                    #expect(
                        eventually {
                            server.errors.components(separatedBy: " is in force").count == number
                                + 1
                        }, "\(server.errors)")
                }
                try reload(with: [server.port, other], number: 1)
                let busy = try RawClient(port: other)
                try busy.send(
                    "POST /cgi-bin/cat HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf")
                #expect(try RawClient(port: other).exchange("GET", "/file.txt").status == 200)
                try reload(with: [server.port], number: 2)
                #expect(throws: (any Error).self) { try RawClient(port: other) }
                try reload(with: [server.port, other], number: 3)
                #expect(try RawClient(port: other).exchange("GET", "/file.txt").status == 200)
                try server.write(
                    "listen: [127.0.0.1:\(server.port), 0.0.0.0:\(other)]\n\(plainSite)")
                server.process.signal(SIGHUP)
                #expect(
                    eventually {
                        server.errors.contains(
                            "cannot listen on 0.0.0.0:\(other) while this server listens on 127.0.0.1:\(other):"
                        )
                    }, "\(server.errors)")
                try busy.send(" done")
                #expect(try busy.response().text == "half done")
                #expect(eventually { server.hosts.count == 1 })
            }
        }

        @Test func aLongRequestFinishesInTheHostThatBeganIt() throws {
            let library = try Package.misbehaving("unruly")
            let site = """
                extensions: { unruly: { library: \(library), thread-safe: true } }
                sites: [{ name: main, root: www, handlers: [{ path: /unruly, extension: unruly }] }]
                """
            try withServer(site, files: plainFiles) { server in
                let client = try server.client()
                try client.send("GET /unruly?sleep=2000 HTTP/1.1\r\nHost: a\r\n\r\n")
                usleep(200_000)
                let before = server.host
                server.process.signal(SIGHUP)
                #expect(eventually { server.host != before })
                #expect(try server.get("/unruly").text == "ready\n")
                #expect(try client.response().text == "slept\n")
                #expect(eventually { server.hosts.count == 1 })
            }
        }
    }
}
