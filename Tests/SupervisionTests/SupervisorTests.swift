// The supervisor with real processes: nothing is refused, lost or left behind.
// SPDX-License-Identifier: Apache-2.0

import Platform
import Testing

@Suite(.serialized, .timeLimit(.minutes(2)))
struct SupervisorTests {
    @Test func minimumOfWorkersIsStartedAndGranted() throws {
        let server = try RunningSupervisor()
        let workers = try server.waitForWorkers(2)
        for worker in workers {
            #expect(server.ask("call \(worker.id)") == "called by \(worker.pid)")
        }
        // No more than the maximum, however often it is asked.
        for _ in 0..<10 { _ = server.ask("want 0") }
        #expect(try server.waitForWorkers(3).count == 3)
        #expect(server.children(named: "worker").count == 3)
        #expect(server.stop() == .exited(code: 0))
        #expect(server.everybody.isEmpty)
    }

    @Test func deadHostIsReplacedWhileItsListenerStaysAndItsIdleWorkersLive() throws {
        let server = try RunningSupervisor()
        let before = try server.waitForWorkers(2)
        let host = server.ask("pid")
        _ = server.ask("crash")
        // The connection waits in the queue of the listener that never closed.
        let next = server.ask("pid")
        #expect(next != nil && next != host)
        let after = try server.waitForWorkers(2)
        #expect(Set(after.map(\.pid)) == Set(before.map(\.pid)))
        for worker in after {
            #expect(server.ask("call \(worker.id)") == "called by \(worker.pid)")
        }
        #expect(server.stop() == .exited(code: 0))
    }

    @Test func workerThatIsBusyForADeadHostIsReplacedAndTheIdleOneKept() throws {
        let server = try RunningSupervisor()
        let before = try server.waitForWorkers(2)
        _ = server.ask("begin \(before[0].id)")
        _ = server.ask("crash")
        #expect(server.waitUntil { !RunningSupervisor.isAlive(before[0].pid) })
        let after = try server.waitForWorkers(2)
        #expect(after.contains { $0.pid == before[1].pid })
        for worker in after {
            #expect(server.ask("call \(worker.id)") == "called by \(worker.pid)")
        }
        #expect(server.stop() == .exited(code: 0))
    }

    @Test func hostKilledManyTimesIsAlwaysReplacedAtOnce() throws {
        let server = try RunningSupervisor()
        var seen: Set<String> = []
        for _ in 0..<8 {
            let pid = try #require(server.ask("pid"))
            #expect(seen.insert(pid).inserted)
            RunningSupervisor.kill(Int32(pid)!)
        }
        #expect(server.stop() == .exited(code: 0))
    }

    @Test func hostThatTalksNonsenseIsKilledAndReplaced() throws {
        let server = try RunningSupervisor()
        let pid = server.ask("pid")
        _ = server.ask("nonsense")
        #expect(server.waitUntil { server.ask("pid").map { $0 != pid } ?? false })
        #expect(server.log.contains("nonsense"))
        #expect(server.stop() == .exited(code: 0))
    }

    @Test func killedWorkerIsReplacedAndItsHostIsTold() throws {
        let server = try RunningSupervisor()
        let before = try server.waitForWorkers(2)
        RunningSupervisor.kill(before[0].pid)
        #expect(
            server.waitUntil {
                server.ask("heard")?.contains("workerRestarted(pool: 0, id: \(before[0].id)")
                    == true
            })
        let after = try server.waitForWorkers(2)
        #expect(!after.contains { $0.pid == before[0].pid })
        #expect(server.stop() == .exited(code: 0))
    }

    @Test func servedWorkerLeavesAndItsSuccessorComes() throws {
        let server = try RunningSupervisor()
        let before = try server.waitForWorkers(2)
        _ = server.ask("release \(before[0].id) served")
        let after = try server.waitForWorkers(2)
        #expect(!after.contains { $0.id == before[0].id })
        #expect(server.waitUntil { server.children(named: "worker").count == 2 })
        #expect(server.stop() == .exited(code: 0))
    }

    @Test func programThatIsMissingOrExitsAtOnceIsRefusedWithItsReason() throws {
        let server = try RunningSupervisor(
            pools: """
                  missing: { command: [no-such-program], processes: { min: 0, max: 2 } }
                  broken: { command: [sh, -c, "echo my last words >&2; exit 4"], processes: { min: 0, max: 2 } }
                """)
        _ = server.ask("want 0")
        #expect(server.waitUntil { server.ask("heard")?.contains("noWorker(pool: 0") == true })
        #expect(server.ask("heard")?.contains("no-such-program was not found") == true)
        _ = server.ask("want 1")
        #expect(server.waitUntil { server.ask("heard")?.contains("noWorker(pool: 1") == true })
        #expect(server.ask("heard")?.contains("exited with code 4") == true)
        #expect(
            server.log.contains("[handler pool broken]") && server.log.contains("my last words"))
        #expect(server.stop() == .exited(code: 0))
    }

    @Test func scriptsGroupEndsWithItsRequestEvenWhatEscapedItsSession() throws {
        let server = try RunningSupervisor()
        let answer = try #require(
            server.ask("script setsid sleep 1001 & sleep 1002 & echo $$ up; wait"))
        #expect(answer.hasSuffix(" up"))
        #expect(server.waitUntil { !server.children(named: "sleep 1002").isEmpty })
        _ = server.ask("endscript 1")
        #expect(server.waitUntil { server.children(named: "sleep").isEmpty })
        // And with its host.
        _ = server.ask("script sleep 1003 & echo up; wait")
        _ = server.ask("crash")
        #expect(server.waitUntil { server.children(named: "sleep").isEmpty })
        #expect(server.stop() == .exited(code: 0))
        #expect(server.everybody.isEmpty)
    }

    @Test func whatAnEndedScriptLeavesBehindEndsWithoutAWordOfTheHost() throws {
        let server = try RunningSupervisor()
        _ = server.ask("script sleep 1004 & setsid sleep 1005 & echo up")
        #expect(server.waitUntil { server.children(named: "sleep").isEmpty })
        #expect(server.stop() == .exited(code: 0))
        #expect(server.everybody.isEmpty)
    }

    @Test func endOfAScriptIsToldToItsHost() throws {
        let server = try RunningSupervisor()
        _ = server.ask("script exit 5")
        #expect(server.waitUntil { server.ask("heard")?.contains("scriptEnded(id: 1") == true })
        _ = server.ask("endscript 1")
        #expect(server.stop() == .exited(code: 0))
    }

    @Test func brokenReloadKeepsTheOldConfigurationServing() throws {
        let server = try RunningSupervisor()
        let host = server.ask("pid")
        let workers = try server.waitForWorkers(2)
        for text in [
            "listen: [\n", "nonsense: true\n", server.text + "\n# host fails\n",
            server.text + "\n# host exits\n",
        ] {
            let refusals = server.log.occurrences(of: "the configuration was not changed")
            try server.reload(with: text)
            #expect(
                server.waitUntil {
                    server.log.occurrences(of: "the configuration was not changed") == refusals + 1
                })
            #expect(server.ask("pid") == host)
        }
        #expect(try server.waitForWorkers(2) == workers)
        #expect(server.stop() == .exited(code: 0))
    }

    @Test func workingConfigurationReplacesOneWhoseHostAlwaysDies() throws {
        let server = try RunningSupervisor()
        #expect(server.ask("pid") != nil)
        // The host dies again and again, ever later, until the operator acts.
        for _ in 0..<3 { _ = server.ask("crash") }
        try server.reload(with: server.text + "\n# changed\n")
        #expect(server.waitUntil { server.log.contains("the new configuration is in force") })
        #expect(server.ask("pid") != nil)
        #expect(server.stop() == .exited(code: 0))
    }

    @Test func reloadStartsANewHostAndKeepsTheWorkersOfUnchangedPools() throws {
        let server = try RunningSupervisor()
        let host = server.ask("pid")
        let before = try server.waitForWorkers(2)
        try server.reload(with: server.text + "\n# changed\n")
        #expect(server.waitUntil { server.ask("pid").map { $0 != host } ?? false })
        #expect(Set(try server.waitForWorkers(2).map(\.pid)) == Set(before.map(\.pid)))
        #expect(server.ask("heard")?.contains("takeOver") == true)
        // A pool with another program gets other processes.
        try server.reload(with: server.text.replacing("worker]", with: "worker, again]"))
        #expect(
            server.waitUntil {
                let now = (try? server.waitForWorkers(2)) ?? []
                return Set(now.map(\.pid)).isDisjoint(with: before.map(\.pid)) && now.count == 2
            })
        #expect(server.waitUntil { server.children(named: "worker").count == 2 })
        #expect(server.stop() == .exited(code: 0))
    }

    @Test func manyReloadsAtOnceAreFewAndTheServerAnswersAllTheTime() throws {
        let server = try RunningSupervisor()
        _ = try server.waitForWorkers(2)
        for _ in 0..<100 {
            server.process.signal(.hangUp)
            #expect(server.ask("pid") != nil)
        }
        #expect(
            server.waitUntil { server.children(named: "probe host").count == 2 }, "host and spare")
        #expect(try server.waitForWorkers(2).count == 2)
        #expect(server.stop() == .exited(code: 0))
        #expect(server.everybody.isEmpty)
    }

    @Test func nothingSurvivesAKilledSupervisor() throws {
        let server = try RunningSupervisor()
        _ = try server.waitForWorkers(2)
        let children = server.children(named: "")
        #expect(children.count >= 3)
        RunningSupervisor.kill(server.process.pid)
        #expect(server.waitUntil { children.allSatisfy { !RunningSupervisor.isAlive($0) } })
    }

    @Test func cannotStartSaysWhyAndWhatToDo() throws {
        let server = try RunningSupervisor()
        #expect(server.ask("pid") != nil)
        let second = try RunningSupervisor(sharing: server)
        #expect(second.waitForEnd() == .exited(code: 1))
        #expect(
            second.log.contains("cannot listen on unix:") && second.log.contains("stop the program")
        )
        #expect(server.stop() == .exited(code: 0))
        let third = try RunningSupervisor(text: "nonsense: true\n")
        #expect(third.waitForEnd() == .exited(code: 2))
        let fourth = try RunningSupervisor(trailer: "# host fails")
        #expect(fourth.waitForEnd() == .exited(code: 1))
        #expect(fourth.log.contains("as it was told"))
    }
}

extension String {
    func occurrences(of text: String) -> Int { ranges(of: text).count }
}
