// Processes that grow old or large are exchanged, and no client notices.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
import Testing
import TestSupport

extension EndToEndTests {
    @Suite("Recycling", .serialized, .timeLimit(.minutes(5)))
    struct RecyclingTests {
        struct Growth: Sendable, CustomTestStringConvertible {
            /// The file in Tests/Misbehaving/faults.
            var file: String
            var limits: String
            /// What the line says.
            var cause: String
            var testDescription: String { file }
        }

        static let growths = [
            Growth(
                file: "leakmemory", limits: "memory: 300MiB",
                cause: "MiB resident, recycle.memory allows 300 MiB"),
            Growth(
                file: "leakmemory", limits: "private-memory: 300MiB",
                cause: "MiB of its own, recycle.private-memory allows 300 MiB"),
            Growth(
                file: "leakdescriptors", limits: "descriptors: 400",
                cause: "open descriptors, recycle.descriptors allows 400"),
            Growth(
                file: "unhealthy", limits: "", cause: "extension faulty reports itself as unhealthy"
            ),
        ]

        @Test(arguments: growths)
        func aHostThatHasGrownIsExchangedAndNoRequestFails(_ growth: Growth) throws {
            try withServer(
                "recycle: { \(growth.limits) }\n"
                    + site(growth.file, "thread-safe: true"), files: plainFiles
            ) { server in
                try exchange(growth, server, "host") { server.host }
            }
        }

        /// There is one worker and there may be one: its successor is one more for that moment.
        @Test(arguments: growths)
        func aWorkerThatHasGrownIsExchangedAndNoRequestFails(_ growth: Growth) throws {
            let pool = "pool: { processes: 1, recycle: { \(growth.limits) } }"
            try withServer(
                site(growth.file, "thread-safe: false, \(pool)"), files: plainFiles
            ) { server in
                let host = server.host
                try exchange(growth, server, "worker") { worker(of: "faulty", server) }
                #expect(server.host == host)
            }
        }

        private func exchange(
            _ growth: Growth, _ server: ServerProcess, _ kind: String,
            _ find: () -> ProcessIdentity?
        ) throws {
            #expect(try server.get("/faulty").text == "fine")
            let before = try #require(find())
            let loads = [("/faulty", true), ("/faulty", false), ("/counter", true)].map {
                Load(.init(port: server.port, target: $0.0, clients: 2, keepsConnections: $0.1))
            }
            loads[0].waitFor(answers: 20)
            #expect(try server.get("/faulty?now").text == "fine")
            #expect(eventually { find().map { $0 != before } ?? false }, "\(server.errors)")
            #expect(eventually { !before.isAlive })
            for load in loads {
                load.waitFor(answers: load.report.total + 20)
                let report = load.finish()
                #expect(report.failed.isEmpty, "\(report.failed) \(server.errors)")
                #expect(Set(report.answered.keys) == [200], "\(server.errors)")
            }
            let lines = lines(" is exchanged: ", server)
            #expect(lines.count == 1, "\(server.errors)")
            #expect(
                lines.allSatisfy {
                    $0.contains(" notice supervisor/") && $0.contains(growth.cause)
                        && $0.contains("\(kind) \(before.pid) is exchanged")
                })
            // No strike, no crash.
            #expect(!server.errors.contains("strike"))
            #expect(!server.errors.contains("is replaced"), "\(server.errors)")
        }

        @Test(arguments: [true, false])
        func aReasonIsEscapedAndToldAFewTimesOnly(_ isThreadSafe: Bool) throws {
            try withServer(
                site("unhealthy", "thread-safe: \(isThreadSafe)"), files: plainFiles
            ) { server in
                let answer = try server.get("/faulty?now")
                #expect(answer.text == "fine")
                #expect(eventually { server.errors.contains(" is exchanged: ") })
                let reports = lines("the cache is broken", server)
                #expect((1...6).contains(reports.count), "\(reports)")
                #expect(
                    reports.allSatisfy {
                        $0.contains("GET /faulty: the extension reports itself as unhealthy")
                            && $0.contains("forged line")
                    }, "\(reports)")
            }
        }

        @Test func aLimitThatEveryHostIsOverIsNoLoopAndIsSaidOnce() throws {
            try withServer("recycle: { memory: 1MiB }\n" + plainSite, files: plainFiles) { server in
                #expect(eventually { server.errors.contains("at the earliest: raise the limit") })
                // Two more looks.
                usleep(11_000_000)
                #expect(lines(" is exchanged: ", server).count == 1, "\(server.errors)")
                #expect(lines("at the earliest", server).count == 1, "\(server.errors)")
                let answer = try server.get("/hello")
                #expect(answer.status == 200)
            }
        }

        @Test func workersOfOneAgeAreExchangedOneAfterTheOtherAndNoRequestFails() throws {
            let site = plainSite.replacing(
                "pool: { processes: 4 }",
                with: "pool: { processes: 3, recycle: { after: 4s } }")
            try withServer(site, files: plainFiles) { server in
                let loads = [true, false].map {
                    Load(
                        .init(
                            port: server.port, target: "/counter", clients: 4,
                            keepsConnections: $0))
                }
                var most = 0
                let isDone = eventually {
                    most = max(most, workers(of: "counter", server).count)
                    return lines(" is exchanged: ", server).count >= 3
                }
                #expect(isDone, "\(server.errors)")
                #expect(most <= 4)
                #expect(server.errors.contains("s old, recycle.after allows 4.0 s"))
                for load in loads {
                    let report = load.finish()
                    #expect(report.failed.isEmpty, "\(report.failed) \(server.errors)")
                    #expect(Set(report.answered.keys) == [200], "\(server.errors)")
                }
            }
        }

        @Test func anOperatorMayHaveAPoolsWorkersExchanged() throws {
            try withServer(plainSite, files: plainFiles) { server in
                let answer = try server.get("/counter")
                #expect(answer.status == 200)
                #expect(eventually { workers(of: "counter", server).count >= 1 })
                let before = workers(of: "counter", server)
                let load = Load(
                    .init(port: server.port, target: "/counter", clients: 4, keepsConnections: true)
                )
                let run = SpawnedProcessRun(
                    Package.program,
                    ["recycle", "counter", "--server", server.site.path + "/site.yaml"])
                #expect(run.run() == .exited(0), "\(run.errors)")
                #expect(eventually { before.allSatisfy { !$0.isAlive } }, "\(server.errors)")
                let report = load.finish()
                #expect(report.failed.isEmpty, "\(report.failed)")
                #expect(Set(report.answered.keys) == [200])
                #expect(server.errors.contains("is exchanged: an operator has asked for it"))
            }
        }

        /// One that closes its connection after each answer, and one that besides ends after twenty.
        @Test(arguments: ["", ", \"20\""])
        func foreignProgramsAreExchangedAndNoRequestFails(_ argument: String) throws {
            let program = "\(Package.folder)/Tests/Misbehaving/closingfcgi"
            let site = """
                pools:
                  closing:
                    command: [\(program)\(argument)]
                    processes: 2
                    recycle: { after: 3s }
                \(plainSite)
                      - { path: /closing, pool: closing }
                """
            try withServer(site, files: plainFiles) { server in
                let load = Load(
                    .init(
                        port: server.port, target: "/closing", clients: argument.isEmpty ? 6 : 1,
                        keepsConnections: true,
                        check: { _ in
                            usleep(100_000)
                            return nil
                        }))
                let isDone = eventually { lines(" is exchanged: ", server).count >= 3 }
                #expect(isDone, "\(server.errors)")
                load.waitFor(answers: load.report.total + 5)
                let report = load.finish()
                #expect(report.failed.isEmpty, "\(report.failed) \(server.errors)")
                #expect(Set(report.answered.keys) == [200], "\(server.errors)")
                #expect(!server.errors.contains("is replaced"), "\(server.errors)")
            }
        }

        /// In a pool there may be one worker: others' requests are answered by its successor meanwhile.
        @Test(arguments: [true, false])
        func whoIsBusyFinishesItsRequestFirst(_ isInHost: Bool) throws {
            let recycle = "recycle: { after: 2s }"
            let keys =
                isInHost
                ? "thread-safe: true" : "thread-safe: false, pool: { processes: 1, \(recycle) }"
            try withServer(
                (isInHost ? recycle + "\n" : "") + site("slow", keys), files: plainFiles
            ) { server in
                let slow = Load(
                    .init(
                        port: server.port, target: "/faulty?now", clients: 1,
                        keepsConnections: true, requests: 1))
                #expect(eventually { server.errors.contains(" is exchanged: ") })
                let answer = try server.get("/faulty")
                #expect(answer.text == "fine")
                #expect(slow.report.total == 0)
                let report = slow.wait()
                #expect(report.answered == [200: 1], "\(report) \(server.errors)")
            }
        }

        // MARK: What there is

        private func site(_ fault: String, _ keys: String) throws -> String {
            let library = try Package.misbehaving("faults/\(fault)")
            return plainSite.replacing(
                "extensions:", with: "extensions:\n  faulty: { library: \(library), \(keys) }"
            ).replacing(
                "handlers:", with: "handlers:\n      - { path: /faulty, extension: faulty }")
        }

        private func lines(_ text: String, _ server: ServerProcess) -> [String] {
            server.errors.components(separatedBy: "\n").filter { $0.contains(text) }
        }

        private func workers(of name: String, _ server: ServerProcess) -> [ProcessIdentity] {
            ProcessTree.descendants(of: server.process.pid)
                .filter { $0.command.contains("worker ") && $0.command.contains("--name \(name)") }
                .map(\.identity).filter(\.isAlive)
        }

        /// Nil while there are two.
        private func worker(of name: String, _ server: ServerProcess) -> ProcessIdentity? {
            let found = workers(of: name, server)
            return found.count == 1 ? found[0] : nil
        }
    }
}
