// An extension that misbehaves is named, costs what was in flight in its process, and nothing else.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
import Testing
import TestSupport

extension EndToEndTests {
    @Suite("Faults by name", .serialized, .timeLimit(.minutes(5)))
    struct AttributionTests {
        struct Fault: Sendable, CustomTestStringConvertible {
            /// The file in Tests/Misbehaving/faults.
            var file: String
            /// What the log says that the extension did.
            var deed: String
            /// The statuses of the request that did it; 0: none, the connection ended.
            var statuses: Set<Int> = [0, 502]
            /// The process that it happened in goes on.
            var isSurvived = false
            var testDescription: String { file }
        }

        /// A sanitizer finds what was freed twice by itself, and in its own way.
        static let faults = all.filter {
            $0.file != "doublefree"
                || ProcessInfo.processInfo.environment["MORTISE_TEST_REPORTS"] == nil
        }

        private static let all: [Fault] = [
            Fault(file: "null", deed: "crashed with SIGSEGV (address 0x0) at"),
            Fault(file: "bus", deed: "crashed with SIGBUS"),
            Fault(file: "divide", deed: "crashed with SIGFPE"),
            Fault(file: "trap", deed: "crashed with SIGILL"),
            Fault(file: "abort", deed: "crashed with SIGABRT at"),
            Fault(file: "doublefree", deed: "crashed with SIGABRT at"),
            Fault(file: "stack", deed: "ran out of stack (SIGSEGV) at"),
            Fault(
                file: "throw", deed: "let an exception out of HttpExtensionProc", statuses: [500],
                isSurvived: true),
            Fault(
                file: "pthreadexit", deed: "thread of the server's (pthread_exit)", statuses: [500]),
            Fault(file: "cancel", deed: "ended a thread of the server's (pthread_exit)"),
            Fault(file: "exit", deed: "called exit(0)", statuses: [500]),
            Fault(file: "exitnow", deed: "called exit(3)", statuses: [500]),
            Fault(file: "background", deed: "crashed with SIGSEGV", statuses: [200]),
            Fault(file: "backgroundexit", deed: "called exit(5)", statuses: [200]),
        ]

        @Test(arguments: faults)
        func aFaultInTheHostIsNamedAndCostsOneProcessAtMost(_ fault: Fault) throws {
            try look(at: fault, isThreadSafe: true)
        }

        @Test(arguments: faults)
        func aFaultInAWorkerIsNamedAndCostsOneProcessAtMost(_ fault: Fault) throws {
            try look(at: fault, isThreadSafe: false)
        }

        private func look(at fault: Fault, isThreadSafe: Bool) throws {
            let site = try faultySite("\(fault.file)", "thread-safe: \(isThreadSafe)")
            try withServer(site, files: plainFiles) { server in
                #expect(try server.get("/faulty").text == "fine")
                let supervisor = server.process.pid
                let host = try #require(server.host)
                // Others are served all the time, whoever dies.
                let others = Load(
                    .init(
                        port: server.port, target: "/counter", clients: 2, keepsConnections: false))
                others.waitFor(answers: 20)
                #expect(fault.statuses.contains(status(of: "/faulty?now", server)))
                #expect(eventually { server.errors.contains(fault.deed) }, "\(server.errors)")
                #expect(
                    eventually { (try? server.get("/faulty"))?.text == "fine" }, "\(server.errors)")
                others.waitFor(answers: others.report.total + 20)
                let report = others.finish()
                // At most what was in flight in the host, when that has died.
                #expect(report.failures <= (isThreadSafe ? 2 : 0), "\(report.failed)")
                #expect(report.failed["refused"] == nil && report.failed["timed out"] == nil)
                #expect(Set(report.answered.keys) == [200])
                #expect(server.process.pid == supervisor && server.process.poll() == nil)
                if isThreadSafe && !fault.isSurvived {
                    #expect(eventually { server.host.map { $0 != host } ?? false })
                } else {
                    #expect(server.host == host)
                }
                let records = server.errors.components(separatedBy: "\n").filter {
                    $0.contains("supervisor/") && $0.contains(fault.deed)
                }
                #expect(records.count == 1, "\(server.errors)")
                #expect(records.allSatisfy { $0.contains("extension faulty") })
            }
        }

        /// 0 when the connection ended without a response.
        private func status(of target: String, _ server: ServerProcess) -> Int {
            guard let response = try? server.get(target) else { return 0 }
            return response.status
        }

        @Test func anExtensionThatCrashesThreeTimesGoesOnInWorkersAndCostsTheHostNothingMore()
            throws
        {
            let site = try faultySite("null", "thread-safe: true")
            try withServer(site, files: plainFiles) { server in
                let others = Load(
                    .init(
                        port: server.port, target: "/hello", clients: 4, keepsConnections: false))
                for round in 1...3 {
                    let before = try #require(server.host)
                    #expect(status(of: "/faulty?now", server) == 0)
                    #expect(eventually { server.host.map { $0 != before } ?? false })
                    if round < 3 {
                        #expect(eventually { server.errors.contains("strike \(round) of 3") })
                    }
                }
                #expect(
                    eventually {
                        server.errors.contains("extension faulty is called in worker processes")
                    })
                #expect(eventually { (try? server.get("/faulty"))?.text == "fine" })
                let host = try #require(server.host)
                for _ in 0..<3 { #expect(status(of: "/faulty?now", server) == 502) }
                #expect(server.host == host)
                let report = others.finish()
                #expect(report.failures <= 3 * 4, "\(report.failed)")
                #expect(report.failed["refused"] == nil)
                // A plain reload changes nothing about it; a new file does.
                try server.reload()
                #expect(status(of: "/faulty?now", server) == 502)
                #expect(try server.get("/faulty").text == "fine")
                let library = try Package.misbehaving("faults/null")
                let copy = server.site.path + "/mended.so"
                try FileManager.default.copyItem(atPath: library, toPath: copy)
                try server.write(site.replacing(library, with: copy))
                try server.reload()
                #expect(try server.get("/faulty").text == "fine")
                #expect(server.children(running: "mended.so").isEmpty)
            }
        }

        @Test func connectionsBetweenTwoRequestsOutliveACrash() throws {
            let site = try faultySite("null", "thread-safe: true, demote-after: 0")
            try withServer(site, files: plainFiles) { server in
                // More than fit beside one message, and one that has not asked for anything yet.
                let clients = try (0..<150).map { _ in try server.client() }
                for client in clients.dropFirst() {
                    #expect(try client.exchange("GET", "/hello").status == 200)
                }
                for _ in 0..<3 {
                    let before = try #require(server.host)
                    #expect(status(of: "/faulty?now", server) == 0)
                    for client in clients {
                        #expect(try client.exchange("GET", "/hello").status == 200)
                    }
                    #expect(server.host != before)
                }
            }
        }

        @Test func connectionsOfACrashedHostWaitForTheNextOneWhereNoneStandsBy() throws {
            let site = try faultySite("null", "thread-safe: true, demote-after: 0")
            try withServer("spare: false\n" + site, files: plainFiles) { server in
                let clients = try (0..<20).map { _ in try server.client() }
                for client in clients {
                    #expect(try client.exchange("GET", "/hello").status == 200)
                }
                #expect(status(of: "/faulty?now", server) == 0)
                for client in clients {
                    #expect(try client.exchange("GET", "/hello").status == 200)
                }
            }
        }

        @Test func aHostThatCrashesAgainAndAgainIsReplacedEachTimeByOneThatStoodBy() throws {
            let site = try faultySite("null", "thread-safe: true, demote-after: 0")
            try withServer(site, files: plainFiles) { server in
                let others = Load(
                    .init(
                        port: server.port, target: "/hello", clients: 16, keepsConnections: false))
                others.waitFor(answers: 50)
                let crashes = 30
                for _ in 0..<crashes {
                    #expect(status(of: "/faulty?now", server) == 0)
                    others.waitFor(answers: others.report.total + 20)
                }
                let report = others.finish()
                #expect(report.failed["refused"] == nil && report.failed["timed out"] == nil)
                #expect(report.failures <= crashes * 16, "\(report.failed)")
                #expect(Set(report.answered.keys) == [200])
                let named = server.errors.components(separatedBy: "extension faulty crashed").count
                #expect(named - 1 == crashes)
                #expect(eventually { server.spareHosts.count == 2 })
            }
        }

        @Test func aPoolWhoseWorkersCrashIsQuarantinedAloneAndHealsByItself() throws {
            let site = try faultySite("null", "thread-safe: false")
            try withServer(site, files: plainFiles) { server in
                let others = Load(.init(port: server.port, target: "/counter", clients: 2))
                for _ in 0..<5 { #expect(status(of: "/faulty?now", server) == 502) }
                #expect(eventually { server.errors.contains("it is quarantined") })
                // Whoever comes is told at once, and starts no process.
                for _ in 0..<20 {
                    let refused = try server.get("/faulty")
                    #expect(refused.status == 503)
                    let wait = Int(refused.value("Retry-After") ?? "") ?? 0
                    #expect((1...31).contains(wait), "\(wait)")
                }
                #expect(server.children(running: "--name faulty").isEmpty)
                // A host that comes later knows of it too.
                let host = try #require(server.host)
                host.kill(SIGKILL)
                #expect(eventually { server.host.map { $0 != host } ?? false })
                #expect(eventually { status(of: "/faulty", server) == 503 })
                // After the pause one is tried, and its answer is enough.
                #expect(eventually { status(of: "/faulty", server) == 200 }, "\(server.errors)")
                #expect(eventually { server.errors.contains("the pool is out of quarantine") })
                for _ in 0..<5 { #expect(try server.get("/faulty").text == "fine") }
                let report = others.finish()
                #expect(report.failures <= 2, "\(report.failed)")
                #expect(Set(report.answered.keys) == [200])
            }
        }

        @Test func aNewFileEndsAQuarantineAtOnce() throws {
            let site = try faultySite("null", "thread-safe: false")
            try withServer(site, files: plainFiles) { server in
                for _ in 0..<5 { #expect(status(of: "/faulty?now", server) == 502) }
                #expect(eventually { status(of: "/faulty", server) == 503 })
                let library = try Package.misbehaving("faults/null")
                try server.write(site.replacing(library, with: Package.products + "/libhello.so"))
                try server.reload()
                #expect(try server.get("/faulty").text == "Hello, world\n")
            }
        }

        /// What a copy of the process does is none of the server's business, and costs nobody anything.
        @Test(arguments: ["forkreturn", "forkexit", "forkcrash"], [true, false])
        func aCopyOfTheProcessEndsByItself(_ file: String, _ isThreadSafe: Bool) throws {
            let site = try faultySite("\(file)", "thread-safe: \(isThreadSafe)")
            try withServer(site, files: plainFiles) { server in
                #expect(try server.get("/faulty").text == "fine")
                let host = try #require(server.host)
                let workers = server.children(running: "--name faulty")
                let client = try server.client()
                for _ in 0..<5 {
                    #expect(try client.exchange("GET", "/faulty?now").text == "fine")
                    #expect(try client.exchange("GET", "/hello").status == 200)
                }
                #expect(server.host == host)
                // A copy has its original's arguments until it has ended.
                #expect(eventually { server.children(running: "--name faulty") == workers })
                #expect(!server.errors.contains("extension faulty"), "\(server.errors)")
                let processes = server.children(running: " host ").filter { $0.isAlive }
                #expect(processes.count == 2)
            }
        }

        // MARK: Calls that do not come back

        private func overdueSite(_ file: String, threads: Int, demoteAfter: Int) throws -> String {
            "threads: { max: \(threads) }\n"
                + (try faultySite(
                    file,
                    "thread-safe: true, timeouts: { call: 300ms }, demote-after: \(demoteAfter)"))
        }

        @Test(arguments: ["spin", "deadlock", "late", "cutlate"])
        func aCallThatDoesNotComeBackIsEndedWithItsThreadAndNamed(_ file: String) throws {
            try withServer(
                try overdueSite(file, threads: 128, demoteAfter: 0), files: plainFiles
            ) { server in
                #expect(try server.get("/faulty").text == "fine")
                let host = try #require(server.host)
                let others = Load(.init(port: server.port, target: "/hello", clients: 2))
                for _ in 0..<3 {
                    let client = try server.client()
                    try client.send("GET /faulty/x?now HTTP/1.1\r\nHost: a\r\n\r\n")
                    if file == "cutlate" {
                        let ending = #expect(throws: ClientError.self) { try client.response() }
                        #expect(ending != .timedOut)
                    } else {
                        #expect(try client.response().status == 504)
                    }
                }
                #expect(try server.get("/faulty").text == "fine")
                #expect(
                    eventually {
                        server.errors.components(separatedBy: "extension faulty did not come back")
                            .count == 4
                    }, "\(server.errors)")
                #expect(server.errors.contains("while it answered GET /faulty/x;"))
                // The threads that come back late find nothing of theirs.
                if file == "late" { Thread.sleep(forTimeInterval: 2) }
                for _ in 0..<20 { #expect(try server.get("/faulty").text == "fine") }
                let report = others.finish()
                #expect(report.failed.isEmpty && Set(report.answered.keys) == [200])
                #expect(server.host == host)
            }
        }

        @Test func aHostThatLosesTooManyThreadsIsReplacedAndTheExtensionDemoted() throws {
            try withServer(
                try overdueSite("deadlock", threads: 8, demoteAfter: 100), files: plainFiles
            ) { server in
                let host = try #require(server.host)
                let others = Load(.init(port: server.port, target: "/hello", clients: 2))
                others.waitFor(answers: 10)
                let stuck = try (0..<20).map { _ in try server.client() }
                for client in stuck {
                    try client.send("GET /faulty?now HTTP/1.1\r\nHost: a\r\n\r\n")
                }
                for client in stuck { #expect(try client.response().status == 504) }
                #expect(eventually { server.host.map { $0 != host } ?? false })
                #expect(server.errors.contains("extension faulty is called in worker processes"))
                #expect(eventually { !host.isAlive })
                #expect(eventually { (try? server.get("/faulty"))?.text == "fine" })
                others.waitFor(answers: others.report.total + 20)
                let report = others.finish()
                #expect(report.failed.isEmpty, "\(report.failed)")
                #expect(Set(report.answered.keys) == [200])
            }
        }

        /// Fault X9: the extension has half of the threads, and the others serve.
        @Test func anExtensionThatBlocksLeavesThreadsForTheOthers() throws {
            let site = try overdueSite("late", threads: 8, demoteAfter: 0)
                .replacing("timeouts: { call: 300ms }", with: "concurrency: 4")
            try withServer(site, files: plainFiles) { server in
                let slow = try (0..<12).map { _ in try server.client() }
                for client in slow {
                    try client.send("GET /faulty?now HTTP/1.1\r\nHost: a\r\n\r\n")
                }
                // Two seconds each, four at a time: six in all.
                let others = Load(.init(port: server.port, target: "/hello", clients: 2))
                others.waitFor(answers: 200)
                let gone = try server.client()
                try gone.send("GET /faulty?now HTTP/1.1\r\nHost: a\r\n\r\n")
                gone.reset()
                for client in slow {
                    let response = try client.response()
                    #expect(response.status == 200 && response.text == "fine")
                }
                let report = others.finish()
                #expect(report.failed.isEmpty && Set(report.answered.keys) == [200])
            }
        }

        // MARK: What extensions print

        @Test(arguments: [true, false])
        func whatAnExtensionPrintsIsALineOfTheLogAndForgesNone(_ isThreadSafe: Bool) throws {
            try withServer(
                try faultySite("prints", "thread-safe: \(isThreadSafe)"), files: plainFiles
            ) { server in
                let answer = try server.get("/faulty?now")
                #expect(answer.text == "fine")
                let words = isThreadSafe ? "notice supervisor/" : "notice"
                #expect(
                    eventually {
                        server.errors.components(separatedBy: "\n").contains {
                            $0.contains(words) && $0.contains("faulty")
                                && $0.hasSuffix("]: plain words")
                        }
                    }, "\(server.errors)")
                #expect(eventually { server.errors.contains("]: it is \\x1b[31mserious") })
                let lines = server.errors.components(separatedBy: "\n")
                #expect(lines.contains { $0.contains("error") && $0.contains("serious") })
                #expect(!lines.contains { $0.hasPrefix("2026-01-01T00:00:00.000Z") })
                let output = server.site.text("output.log")
                #expect(output.isEmpty)
            }
        }

        @Test(arguments: [true, false])
        func anExtensionThatFloodsFillsNoLogAndHoldsUpNobody(_ isThreadSafe: Bool) throws {
            try withServer(
                try faultySite("floods", "thread-safe: \(isThreadSafe)"), files: plainFiles
            ) { server in
                let others = Load(.init(port: server.port, target: "/hello", clients: 2))
                let answer = try server.get("/faulty?now")
                #expect(answer.text == "fine")
                let report = others.finish()
                #expect(report.failed.isEmpty && Set(report.answered.keys) == [200])
                #expect(server.errors.utf8.count < 2_000_000)
                #expect(try server.get("/faulty").text == "fine")
            }
        }
    }
}
