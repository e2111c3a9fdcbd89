// Operators' verbs against a running server.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
import Testing
import TestSupport

extension EndToEndTests {
    @Suite("Operators", .serialized, .timeLimit(.minutes(3)))
    struct OperatorTests {
        private func ask(_ verb: [String], _ server: ServerProcess) -> (code: Int32?, text: String)
        {
            let run = SpawnedProcessRun(
                Package.program, verb + ["--server", server.site.path + "/site.yaml"])
            guard case .exited(let code) = run.run() else { return (nil, run.errors) }
            return (code, run.output + run.errors)
        }

        /// The same as JSON.
        private func json(_ verb: String, _ server: ServerProcess) throws -> Any {
            let answer = ask([verb, "--json"], server)
            #expect(answer.code == 0)
            return try JSONSerialization.jsonObject(with: Data(answer.text.utf8))
        }

        @Test func statusShowsProcessesAndWhatServesWhat() throws {
            try withServer(plainSite, files: plainFiles) { server in
                #expect(try server.get("/counter").status == 200)
                let host = try #require(server.host)
                let text = ask(["status"], server)
                #expect(text.code == 0)
                #expect(text.text.contains("host           \(host.pid)  serving for"))
                let status = try #require(try json("status", server) as? [String: Any])
                let hosts = try #require(status["hosts"] as? [[String: Any]])
                #expect(hosts.contains { $0["pid"] as? Int == Int(host.pid) })
                let extensions = try #require(status["extensions"] as? [[String: Any]])
                let homes = extensions.map { "\($0["name"]!) \($0["home"]!)" }
                #expect(homes == ["hello host", "echo host", "counter workers"])
                let pools = try #require(status["pools"] as? [[String: Any]])
                let counter = try #require(pools.first { $0["name"] as? String == "counter" })
                #expect(!((counter["workers"] as? [Any])?.isEmpty ?? true))
            }
        }

        @Test func aReloadIsAnsweredWhenItIsInForceOrSaysWhyItIsNot() throws {
            try withServer(plainSite, files: plainFiles) { server in
                let before = server.host
                let good = ask(["reload"], server)
                #expect(good.code == 0 && good.text.contains("is in force"), "\(good)")
                #expect(server.host != before)
                try server.write(plainSite + "\nnonsense: 1\n")
                let bad = ask(["reload"], server)
                #expect(bad.code == 1 && bad.text.contains("found 'nonsense'"), "\(bad)")
                #expect(try server.get("/hello").status == 200)
            }
        }

        @Test func recyclingUnderLoadCostsNoRequest() throws {
            try withServer(plainSite, files: plainFiles) { server in
                let loads = [true, false].map {
                    Load(
                        .init(
                            port: server.port, target: "/hello", clients: 4, keepsConnections: $0))
                }
                for _ in 0..<10 {
                    let before = try #require(server.host)
                    #expect(ask(["recycle"], server).code == 0)
                    #expect(eventually { server.host.map { $0 != before } ?? false })
                }
                for load in loads {
                    let report = load.finish()
                    #expect(report.failed.isEmpty, "\(report.failed)")
                    #expect(Set(report.answered.keys) == [200])
                }
            }
        }

        @Test func withoutASpareARecycledHostIsReplacedToo() throws {
            try withServer("spare: false\n" + plainSite, files: plainFiles) { server in
                let before = try #require(server.host)
                #expect(server.spareHosts.isEmpty)
                #expect(ask(["recycle"], server).code == 0)
                #expect(eventually { server.host.map { $0 != before } ?? false })
                #expect(eventually { !before.isAlive })
                #expect(server.spareHosts.isEmpty)
                let answer = try server.get("/hello")
                #expect(answer.status == 200)
            }
        }

        @Test(arguments: ["hello", "counter"])
        func whatIsQuarantinedByHandAnswers503UntilItIsReleased(_ name: String) throws {
            try withServer(plainSite, files: plainFiles) { server in
                let before = try server.get("/\(name)")
                #expect(before.status == 200)
                #expect(ask(["quarantine", name], server).code == 0)
                #expect(eventually { (try? server.get("/\(name)"))?.status == 503 })
                #expect(try server.get("/echo").status == 200)
                #expect(ask(["status"], server).text.contains("quarantined by an operator"))
                #expect(ask(["release", name], server).code == 0)
                #expect(eventually { (try? server.get("/\(name)"))?.status == 200 })
                let home = name == "hello" ? "host" : "workers"
                let isHome = eventually {
                    ask(["status"], server).text.contains("extension      \(name)  \(home)  ")
                }
                #expect(isHome)
                let unknown = ask(["quarantine", "nobody"], server)
                #expect(
                    unknown.code == 1 && unknown.text.contains("there are hello, echo, counter"))
            }
        }

        @Test func crashesAreListedForPeopleAndForPrograms() throws {
            let site = try faultySite("null", "thread-safe: true")
            try withServer(site, files: plainFiles) { server in
                #expect(ask(["crashes"], server).text.contains("no crash"))
                _ = try? server.get("/faulty/a?now")
                #expect(eventually { server.errors.contains("extension faulty crashed") })
                #expect(ask(["crashes"], server).text.contains("while it answered GET /faulty/a"))
                let crashes = try #require(try json("crashes", server) as? [[String: Any]])
                let crash = try #require(crashes.first)
                #expect(crashes.count == 1)
                #expect(crash["extensions"] as? [String] == ["faulty"])
                #expect(crash["certainty"] as? String == "direct")
                #expect(crash["request"] as? String == "GET /faulty/a")
                #expect((crash["place"] as? String)?.contains(".so+0x") == true)
                let frames = try #require(crash["frames"] as? [String])
                #expect(frames.contains { $0.contains("HttpExtensionProc") }, "\(frames)")
            }
        }

        @Test func aServerThatIsStoppedByAVerbFinishesAndIsFoundNoMore() throws {
            try withServer(plainSite, files: plainFiles) { server in
                #expect(ask(["stop"], server).code == 0)
                #expect(server.process.wait(seconds: 30) == .exited(0))
                let gone = ask(["status"], server)
                #expect(gone.code == 1 && gone.text.contains("no server of this user serves"))
            }
        }

        /// Operators that say nothing, nonsense or too much keep nobody from being served.
        @Test func strangersOnTheControlSocketHurtNobody() throws {
            try withServer(plainSite, files: plainFiles) { server in
                let path = try #require(server.runtimeFolder) + "/control"
                #expect(
                    try FileManager.default.attributesOfItem(
                        atPath: (path as NSString).deletingLastPathComponent)[.posixPermissions]
                        as? Int == 0o700)
                var open: [Int32] = []
                defer { for socket in open { close(socket) } }
                for text in ["", "nonsense\n", String(repeating: "x", count: 5000), "status", "\n"]
                {
                    for _ in 0..<10 {
                        let socket = UnixSocket.connect(path)
                        #expect(socket >= 0)
                        _ = text.withCString { send(socket, $0, strlen($0), Int32(MSG_NOSIGNAL)) }
                        open.append(socket)
                    }
                }
                #expect(try server.get("/hello").status == 200)
                for socket in open { close(socket) }
                open = []
                #expect(eventually { ask(["status"], server).code == 0 })
            }
        }
    }
}

private enum UnixSocket {
    static func connect(_ path: String) -> Int32 {
        let socket = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let size = socklen_t(MemoryLayout<sockaddr_un>.size)
        let done = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(socket, $0, size)
            }
        }
        return done == 0 ? socket : -1
    }
}
