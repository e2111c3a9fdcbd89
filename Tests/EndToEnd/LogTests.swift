// One line for each response, and nothing a client sends can forge one.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
import Testing
import TestSupport

extension EndToEndTests {
    @Suite("Logs", .serialized, .timeLimit(.minutes(2)))
    struct LogTests {
        private func lines(_ server: ServerProcess, _ count: Int) -> [String] {
            eventually { server.accessLog.split(separator: "\n").count >= count }
            return server.accessLog.split(separator: "\n").map(String.init)
        }

        @Test func everyResponseIsOneLineInTheCombinedFormat() throws {
            try withServer(plainSite, files: plainFiles) { server in
                // The harness asked once, to see that the server answers.
                let before = lines(server, 1).count
                let client = try server.client()
                _ = try client.exchange(
                    "GET", "/file.txt?a=b",
                    fields: ["User-Agent: agent/1", "Referer: http://r.test/"])
                _ = try client.exchange("HEAD", "/file.txt")
                _ = try client.exchange("GET", "/nothing")
                _ = try client.exchange("POST", "/hello", body: [1, 2, 3])
                try client.send("garbage\r\n\r\n")
                _ = try client.everything()
                let found = lines(server, before + 5).dropFirst(before)
                #expect(found.count == 5)
                let combined = try Regex(
                    #"127\.0\.0\.1 - - \[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] ".*" \d{3} (\d+|-) ".*" ".*""#
                )
                for line in found { #expect(try combined.wholeMatch(in: line) != nil, "\(line)") }
                let first = try #require(found.first)
                #expect(
                    first.contains(
                        "\"GET /file.txt?a=b HTTP/1.1\" 200 11 \"http://r.test/\" \"agent/1\""))
                #expect(found.contains { $0.contains("\"HEAD /file.txt HTTP/1.1\" 200 ") })
                #expect(found.contains { $0.contains(" 404 ") })
                #expect(found.last?.contains(" 400 ") == true)
            }
        }

        @Test func nothingAClientSendsForgesALine() throws {
            try withServer(plainSite, files: plainFiles) { server in
                // The harness asked once, to see that the server answers.
                let before = lines(server, 1).count
                let client = try server.client()
                let odd =
                    Array("GET /\"%0a%0d127.0.0.1 HTTP/1.1\r\nHost: a\r\nUser-Agent: x\" \\ ".utf8)
                    + [0x85, 0x80, 0xff]
                    + Array("\tend\r\nReferer: \"\r\nConnection: close\r\n\r\n".utf8)
                try client.send(odd)
                _ = try client.everything()
                let found = lines(server, before + 1).dropFirst(before)
                #expect(found.count == 1)
                let line = try #require(found.first)
                // Request, referer and agent: six quotation marks that are not escaped.
                let unescaped = line.replacingOccurrences(of: "\\\\", with: "")
                    .replacingOccurrences(of: "\\\"", with: "")
                    .replacingOccurrences(of: "\\x22", with: "")
                #expect(unescaped.filter { $0 == "\"" }.count == 6, "\(line)")
                for scalar in line.unicodeScalars {
                    #expect(scalar.value >= 0x20 && scalar.value < 0x7f)
                }
            }
        }

        @Test func aRequestThatDoesNotComeInTimeIsLoggedWithWhatHasComeOfIt() throws {
            try withServer("timeouts: { head: 1, body: 1 }\n" + plainSite, files: plainFiles) {
                server in
                let clients = try (0..<3).map { _ in try server.client() }
                try clients[0].send("GET /head HTTP/1.1\r\nHost: lo")
                try clients[1].send("GET /\"line")
                try clients[2].send(
                    "POST /counter?body HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc")
                for client in clients { #expect(try client.response().status == 408) }
                let found = lines(server, 4).filter { $0.contains(" 408 ") }
                #expect(found.count == 3)
                for shown in [
                    "\"GET /head HTTP/1.1\" 408 ", "\"GET /\\\"line\" 408 ",
                    "\"POST /counter?body HTTP/1.1\" 408 ",
                ] {
                    #expect(found.contains { $0.contains(shown) }, "\(shown) in \(found)")
                }
            }
        }

        /// The client that is given up, and one that has reset: the log says what was sent, not what there was.
        @Test func aResponseThatWasCutIsLoggedWithWhatWasSent() throws {
            try withServer("timeouts: { send: 1 }\n" + plainSite, files: plainFiles) { server in
                let size = 256 << 20
                try server.site.write("www/large.bin", "")
                truncate(server.site.path + "/www/large.bin", size)
                let slow = try server.client()
                try slow.send("GET /large.bin?slow HTTP/1.1\r\nHost: a\r\n\r\n")
                let gone = try server.client()
                try gone.send("GET /large.bin?gone HTTP/1.1\r\nHost: a\r\n\r\n")
                #expect(try gone.responseHead().status == 200)
                gone.reset()
                #expect(
                    eventually {
                        server.errors.contains(
                            "]: GET /large.bin: the client 127.0.0.1 was given up: it took nothing")
                    }, "\(server.errors)")
                let found = lines(server, 3).filter { $0.contains("/large.bin") }
                #expect(found.count == 2)
                for line in found {
                    let behind = line.components(separatedBy: "\" 200 ").last ?? ""
                    let bytes = try #require(Int(behind.prefix { $0 != " " }), "\(line)")
                    #expect((1..<size).contains(bytes), "\(line)")
                }
            }
        }

        @Test func anAccessLogThatCannotBeOpenedIsNamedWhereTheStartIsWaitedFor() throws {
            let site = try SiteFolder()
            defer { site.remove() }
            try site.write(
                "site.yaml",
                "listen: [127.0.0.1:\(ServerProcess.freePort())]\nlogs: { access: www, error: errors }\n"
                    + "user: root\nsites: [{ root: www }]\n")
            let line = "the host said: the access log \(site.path)/www cannot be opened"
            let run = SpawnedProcessRun(Package.program, ["serve", site.path + "/site.yaml"])
            #expect(run.run() == .exited(1))
            #expect(run.errors.contains(line), "\(run.errors)")
            #expect(site.text("errors").contains(line))
            let check = SpawnedProcessRun(Package.program, ["check", site.path + "/site.yaml"])
            #expect(check.run() == .exited(1))
            #expect(check.errors.contains("log \(site.path)/www: it is a folder"))
        }

        /// A log's folder that has gone is no reason to serve nobody.
        @Test func aHostThatReplacesADeadOneServesWithoutALogThatCannotBeOpened() throws {
            try withServer(plainSite, files: plainFiles.merging(["logs/x": ""]) { $1 }) { server in
                let text = server.site.text("site.yaml")
                    .replacingOccurrences(of: "/access.log", with: "/logs/access.log")
                try server.site.write("site.yaml", text)
                try server.reload()
                let (here, gone) = (server.site.path + "/logs", server.site.path + "/gone")
                try FileManager.default.moveItem(atPath: here, toPath: gone)
                // Hosts that stood by before have the file open.
                for _ in 0..<4 {
                    let before = try #require(server.host)
                    before.kill(SIGKILL)
                    #expect(eventually { server.host.map { $0 != before } ?? false })
                    #expect(eventually { server.spareHosts.count > 0 })
                }
                #expect(try server.get("/file.txt").status == 200)
                #expect(server.errors.contains("requests are served all the same"))
                try FileManager.default.createDirectory(
                    atPath: here, withIntermediateDirectories: true)
                #expect(
                    eventually { server.site.text("logs/access.log").contains("GET /file.txt") })
            }
        }

        /// Both would be missed only later: by the first large body, and by the first line.
        @Test(arguments: [
            (
                "logs: { error: nowhere/errors }",
                "the error log SITE/nowhere/errors cannot be opened (open: No such file or directory (errno 2))"
            ),
            (
                "limits: { temporary-folder: nowhere }",
                "limits.temporary-folder SITE/nowhere: no such folder"
            ),
        ])
        func aPlaceThatIsMissingIsNamedAtTheStartAndAtAReload(key: String, said: String) throws {
            try withServer(plainSite, files: plainFiles) { server in
                let line = said.replacingOccurrences(of: "SITE", with: server.site.path)
                let good = server.site.text("site.yaml")
                let name = try #require(key.split(separator: ":").first)
                let others = good.split(separator: "\n").filter { !$0.hasPrefix(name) }
                try server.site.write("site.yaml", key + "\n" + others.joined(separator: "\n"))
                server.process.signal(SIGHUP)
                #expect(
                    eventually {
                        server.errors.contains(line)
                            && server.errors.contains(
                                "the configuration was not changed: see above")
                    }, "\(server.errors)")
                #expect(try server.get("/file.txt").status == 200)
                let run = SpawnedProcessRun(
                    Package.program, ["serve", server.site.path + "/site.yaml"])
                #expect(run.run() == .exited(78))
                #expect(run.errors.contains(line), "\(run.errors)")
            }
        }

        @Test func aReloadWhoseAccessLogCannotBeOpenedSaysWhich() throws {
            try withServer(plainSite, files: plainFiles) { server in
                let text = server.site.text("site.yaml")
                    .replacingOccurrences(of: "/access.log", with: "/missing/access.log")
                try server.site.write("site.yaml", text)
                server.process.signal(SIGHUP)
                let line =
                    "the configuration was not changed: the new host said: the access log "
                    + "\(server.site.path)/missing/access.log cannot be opened"
                #expect(eventually { server.errors.contains(line) }, "\(server.errors)")
                #expect(try server.get("/file.txt").status == 200)
            }
        }

        /// The host leaves while its log takes nothing: it can tell of no line, and the supervisor does.
        @Test func everyLineOfALogThatTakesNothingIsToldAsLost() throws {
            let site = try SiteFolder()
            defer { site.remove() }
            for (name, text) in plainFiles { try site.write(name, text) }
            let port = ServerProcess.freePort()
            let server = try ServerProcess(
                "listen: [127.0.0.1:\(port)]\nlogs: { access: /dev/full }\n" + plainSite,
                in: site, port: port)
            let client = try server.client()
            let target = "/file.txt?" + String(repeating: "a", count: 4000)
            for _ in 0..<1000 { #expect(try client.exchange("GET", target).status == 200) }
            server.stop()
            let told = server.errors.matches(
                of: /(\d+) lines (?:were lost|of a host that has ended are lost)/
            ).compactMap { Int($0.output.1) }
            // The harness asked once, to see that the server answers.
            #expect(told.count == 2 && told.reduce(0, +) == 1001, "\(server.errors)")
        }

        @Test func aLogThatWasMovedAwayIsOpenedAnew() throws {
            try withServer(plainSite, files: plainFiles) { server in
                _ = try server.get("/file.txt?first")
                #expect(eventually { server.accessLog.contains("first") })
                rename(server.site.path + "/access.log", server.site.path + "/access.log.1")
                server.process.signal(SIGUSR1)
                #expect(
                    eventually {
                        FileManager.default.fileExists(atPath: server.site.path + "/access.log")
                    })
                _ = try server.get("/file.txt?second")
                #expect(eventually { server.accessLog.contains("second") })
                #expect(!server.accessLog.contains("first"))
                #expect(!server.site.text("access.log.1").contains("second"))
            }
        }
    }
}
