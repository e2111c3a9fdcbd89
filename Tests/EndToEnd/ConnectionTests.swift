// Connections that are slow, idle or many do not keep others from being answered.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
import Testing
import TestSupport

extension EndToEndTests {
    @Suite("Connections", .serialized, .timeLimit(.minutes(5)))
    struct ConnectionTests {
        @Test func slowHeadersDoNotKeepOthersWaiting() throws {
            try withServer("timeouts: { head: 3 }\n" + plainSite, files: plainFiles) { server in
                let host = server.host
                let slow = try (0..<200).map { _ in try server.client() }
                for client in slow { try client.send("GET / HTTP/1.1\r\nHost: local") }
                for _ in 0..<100 {
                    #expect(try server.get("/hello").status == 200)
                    try slow.randomElement()?.sendIgnoringClose([0x61])
                }
                // All of them end: with 408, or without it where a byte came after the end.
                for client in slow {
                    let answer = String(decoding: try client.everything(), as: UTF8.self)
                    #expect(answer.isEmpty || answer.hasPrefix("HTTP/1.1 408 "), "\(answer)")
                }
                #expect(try server.get("/hello").status == 200)
                #expect(server.host == host)
            }
        }

        @Test func idleConnectionsHoldNoThread() throws {
            try withServer(plainSite, files: plainFiles) { server in
                let idle = try (0..<500).map { _ in try server.client() }
                for client in idle { #expect(try client.exchange("GET", "/hello").status == 200) }
                let host = try #require(server.host)
                let threads = try #require(ProcessTree.entry(host.pid)).threads
                #expect(threads < 32)
                for client in idle {
                    #expect(try client.exchange("GET", "/file.txt").text == "0123456789\n")
                }
            }
        }

        /// A table that grows while threads run keeps every accept(2) waiting meanwhile.
        @Test func theTableOfDescriptorsHasItsSizeBeforeTheFirstClientComes() throws {
            try withServer("limits: { connections: 700 }\n" + plainSite, files: plainFiles) {
                server in
                let host = try #require(server.host)
                let status = try String(contentsOfFile: "/proc/\(host.pid)/status", encoding: .utf8)
                let line = try #require(
                    status.split(separator: "\n").first { $0.hasPrefix("FDSize:") })
                let size = try #require(Int(line.dropFirst(7).drop { $0 == "\t" || $0 == " " }))
                #expect(size >= 700)
            }
        }

        @Test func slowBodiesAndReadersDoNotKeepOthersWaiting() throws {
            try withServer(
                "timeouts: { body: 2, send: 2 }\n" + plainSite,
                files: plainFiles.merging(["www/large.bin": String(repeating: "x", count: 8 << 20)])
                { $1 }
            ) { server in
                #expect(try server.get("/counter").status == 200)
                let host = try #require(server.host)
                let before = ProcessTree.sockets(of: host.pid).count
                let bodies = try (0..<50).map { _ in try server.client() }
                for client in bodies {
                    try client.send(
                        "POST /counter HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nabc")
                }
                let readers = try (0..<50).map { _ in try server.client() }
                for client in readers {
                    try client.send("GET /large.bin HTTP/1.1\r\nHost: a\r\n\r\n")
                }
                for target in ["/hello", "/counter", "/file.txt", "/cgi-bin/env"] {
                    #expect(try server.get(target).status == 200)
                }
                for client in bodies {
                    #expect(try client.response().status == 408)
                }
                // Who does not read loses the connection before the end of the file. The host may have got
                // its other workers meanwhile.
                let workers = 4
                #expect(eventually { ProcessTree.sockets(of: host.pid).count <= before + workers })
                let cut = try readers.filter { try $0.everything().count < 8 << 20 }
                #expect(cut.count >= readers.count - workers)
                #expect(try server.get("/hello").status == 200)
                #expect(server.host == host)
            }
        }

        @Test func anIdleConnectionIsClosedAfterItsTime() throws {
            try withServer("timeouts: { keep-alive: 1 }\n" + plainSite, files: plainFiles) {
                server in
                let client = try server.client()
                #expect(try client.exchange("GET", "/hello").status == 200)
                #expect(try client.everything().isEmpty)
            }
        }

        /// Nobody receives what was refused, so the connection ends (RFC 9110 §15.5.14), whoever would
        /// have answered.
        @Test(arguments: ["/hello", "/counter", "/cgi-bin/cat"])
        func aBodyBeyondTheLimitIsRefusedAndEndsItsConnection(_ target: String) throws {
            try withServer("limits: { body: 1000 }\n" + plainSite, files: plainFiles) { server in
                let fits = try server.client().exchange(
                    "POST", target, body: [UInt8](repeating: 1, count: 1000))
                #expect(fits.status == 200)
                let chunk = "200\r\n" + String(repeating: "x", count: 512) + "\r\n"
                for rest in [
                    "Content-Length: 1001\r\n\r\n",
                    "Transfer-Encoding: chunked\r\n\r\n\(chunk)\(chunk)",
                ] {
                    let client = try server.client()
                    try client.send("POST \(target) HTTP/1.1\r\nHost: a\r\n" + rest)
                    let response = try client.response()
                    #expect(response.status == 413 && response.value("Connection") == "close")
                    #expect(try client.isClosedSilently())
                }
            }
        }

        @Test func listenersOfAllKindsAnswer() throws {
            let site = try SiteFolder()
            defer { site.remove() }
            for (name, text) in plainFiles { try site.write(name, text) }
            let port = ServerProcess.freePort()
            let configuration = """
                listen: ["127.0.0.1:\(port)", "[::1]:\(port)", "unix:\(site.path)/socket"]
                logs: { access: \(site.path)/access.log }
                \(plainSite)
                """
            let server = try ServerProcess(configuration, in: site, port: port)
            defer { server.stop() }
            #expect(try RawClient(port: port).exchange("GET", "/hello").status == 200)
            #expect(try RawClient(ipv6Port: port).exchange("GET", "/hello").status == 200)
            #expect(
                try RawClient(path: site.path + "/socket").exchange("GET", "/hello").status == 200)
            let variables = try RawClient(ipv6Port: port).exchange("GET", "/cgi-bin/env").text
            #expect(variables.contains("REMOTE_ADDR=::1\n"))
        }

        @Test func connectionsAreKeptAsTheirVersionSays() throws {
            try withServer(plainSite, files: plainFiles) { server in
                let old = try server.client()
                try old.send("GET /hello HTTP/1.0\r\n\r\n")
                let closed = try old.response()
                #expect(closed.text == "Hello, world\n")
                #expect(try old.everything().isEmpty)

                let kept = try server.client()
                for _ in 0..<3 {
                    try kept.send("GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
                    #expect(try kept.response().value("Connection")?.lowercased() == "keep-alive")
                }

                let new = try server.client()
                try new.send("GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                #expect(try new.response().value("Connection")?.lowercased() == "close")
                #expect(try new.everything().isEmpty)
            }
        }

        @Test func aClientThatVanishesHarmsNobody() throws {
            try withServer(plainSite, files: plainFiles) { server in
                for target in ["/hello", "/counter", "/cgi-bin/env", "/file.txt", "/echo"] {
                    for _ in 0..<20 {
                        let client = try server.client()
                        try client.send("GET \(target) HTTP/1.1\r\nHost: a\r\n\r\n")
                        client.reset()
                    }
                    #expect(try server.get(target).status == 200)
                }
            }
        }

        @Test func sitesAreChosenByHost() throws {
            let site = """
                sites:
                  - { name: one, hosts: [one.test, "*.wild.test"], root: one }
                  - { name: any, root: any }
                """
            let files = ["one/index.html": "one\n", "any/index.html": "any\n"]
            try withServer(site, files: files) { server in
                for (host, body) in [
                    ("one.test", "one\n"), ("ONE.TEST:80", "one\n"), ("a.wild.test", "one\n"),
                    ("other.test", "any\n"),
                ] {
                    let client = try server.client()
                    try client.send("GET / HTTP/1.1\r\nHost: \(host)\r\n\r\n")
                    #expect(try client.response().text == body, "\(host)")
                }
            }
        }
    }
}
