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
                  astray: { command: [sh], folder: /no/such/folder, processes: { min: 0, max: 2 } }
                """)
        _ = server.ask("want 0")
        #expect(server.waitUntil { server.ask("heard")?.contains("noWorker(pool: 0") == true })
        #expect(server.ask("heard")?.contains("no-such-program was not found") == true)
        _ = server.ask("want 1")
        #expect(server.waitUntil { server.ask("heard")?.contains("noWorker(pool: 1") == true })
        #expect(server.ask("heard")?.contains("exited with code 4") == true)
        _ = server.ask("want 2")
        #expect(server.waitUntil { server.ask("heard")?.contains("noWorker(pool: 2") == true })
        #expect(server.ask("heard")?.contains("its folder /no/such/folder does not exist") == true)
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
        #expect(
            Set(try server.waitForWorkers(2).map(\.pid)) == Set(before.map(\.pid)),
            "\(server.log)")
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

    // MARK: Connections of leaving hosts

    @Test func idleConnectionTravelsToTheNewestHostThroughManyReloads() throws {
        let server = try RunningSupervisor()
        #expect(server.ask("pid") != nil)
        let connection = try server.connect()
        #expect(server.answer(to: "keep", on: connection.number) == "kept")
        var seen: Set<String> = []
        for _ in 0..<5 {
            seen.insert(try #require(server.answer(to: "pid", on: connection.number)))
            let host = server.ask("pid")
            server.process.signal(.hangUp)
            #expect(server.waitUntil { server.ask("pid") != host })
        }
        #expect(server.waitUntil { server.children(named: "probe host").count <= 2 })
        #expect(server.answer(to: "pid", on: connection.number) == server.ask("pid"))
        #expect(seen.count > 1)
        #expect(server.stop() == .exited(code: 0))
    }

    @Test(arguments: ["# host refuses", "# host dies of it"])
    func connectionThatNobodyTakesStaysWithItsHost(_ trailer: String) throws {
        let server = try RunningSupervisor()
        let host = try #require(server.ask("pid"))
        let connection = try server.connect()
        #expect(server.answer(to: "keep", on: connection.number) == "kept")
        try server.reload(with: server.text + "\n\(trailer)\n")
        #expect(server.waitUntil { server.ask("pid") != host })
        #expect(server.answer(to: "pid", on: connection.number) == host)
        // It leaves when it has answered.
        #expect(server.waitUntil { !RunningSupervisor.isAlive(Int32(host)!) })
        #expect(server.stop() == .exited(code: 0))
    }

    // MARK: Hosts that stand still

    @Test(arguments: ["clock off", "stick", "stop"])
    func hostThatStandsStillIsReplacedAndTheLineSaysWhatStood(_ how: String) throws {
        let server = try RunningSupervisor()
        let host = try #require(server.ask("pid"))
        if how == "stop" {
            RunningSupervisor.stop(Int32(host)!)
        } else {
            _ = server.ask(how)
        }
        #expect(server.waitUntil { !RunningSupervisor.isAlive(Int32(host)!) })
        #expect(server.ask("pid") != host)
        let culprit = how == "stick" ? "shard 3 has left ready work" : "its clock has not ticked"
        #expect(
            server.waitUntil { server.log.contains("host \(host) stood still (\(culprit)") })
        #expect(server.stop() == .exited(code: 0))
    }

    @Test func hostThatReadsNothingIsReplacedAndSoIsNobodyElse() throws {
        let server = try RunningSupervisor()
        let host = try #require(server.ask("pid"))
        let connection = try server.connect()
        Array("deaf\n".utf8).withUnsafeBytes { _ = Socket.send(connection.number, $0) }
        // Each is a message to the host.
        let isReplaced = server.waitUntil {
            for _ in 0..<200 {
                server.process.signal(.user1)
                // Signals that come at once are one (man 7 signal).
                Thread.sleep(milliseconds: 1)
            }
            return server.log.contains("messages unread")
        }
        #expect(isReplaced)
        #expect(server.waitUntil { server.ask("pid") != host })
        #expect(!server.log.contains("nonsense"))
        #expect(server.stop() == .exited(code: 0))
    }

    // MARK: Probes

    @Test func nothingElseStopsWhileALibrarySpins() throws {
        let server = try RunningSupervisor(extensions: ["good", "fine"])
        #expect(server.ask("heard")?.contains("copy: nil, isInProcess: true, problem: nil") == true)
        let host = try #require(server.ask("pid"))
        try server.write("", to: "spins.so")
        try server.reload(with: server.text.replacing("fine.so", with: "spins.so"))
        #expect(server.waitUntil { !server.children(named: "probe --").isEmpty })
        // Scripts are started and a dead host is replaced, by the old configuration.
        #expect(server.ask("script echo up") == "1 up")
        _ = server.ask("crash")
        #expect(server.waitUntil { server.ask("pid").map { $0 != host } ?? false })
        #expect(!server.log.contains("the new configuration is in force"))
        #expect(server.waitUntil { server.log.contains("the new configuration is in force") })
        let heard = try #require(server.ask("heard"))
        #expect(heard.contains("good.so\", copy: nil, isInProcess: true, problem: nil"))
        #expect(heard.contains("took longer than 5 s"))
        #expect(server.stop() == .exited(code: 0))
    }

    @Test func probeKilledFromOutsideIsRepeatedOnce() throws {
        let server = try RunningSupervisor(extensions: ["killed", "killed-always", "exits"])
        let heard = try #require(server.ask("heard"))
        #expect(heard.contains("killed.so\", copy: nil, isInProcess: true, problem: nil"))
        #expect(heard.contains("crashed the process with signal 9"))
        #expect(heard.contains("ended the process with code 0"))
        #expect(server.stop() == .exited(code: 0))
    }

    @Test func serverThatStillProbesEndsAtOnce() throws {
        let server = try RunningSupervisor(extensions: ["spins"])
        #expect(server.waitUntil { !server.children(named: "probe --").isEmpty })
        #expect(server.stop() == .exited(code: 0))
        #expect(server.everybody.isEmpty)
    }

    // MARK: Descriptors

    @Test func hostsGetTheRaisedLimitAndScriptsTheOneFromBefore() throws {
        let server = try RunningSupervisor(openFiles: 100)
        #expect(server.ask("files") == "108")
        #expect(server.ask("script ulimit -Sn") == "1 100")
        #expect(server.stop() == .exited(code: 0))
    }

    @Test func shortageOfDescriptorsCostsOneScriptAndNoHost() throws {
        let server = try RunningSupervisor(openFiles: 40)
        let host = server.ask("pid")
        _ = server.ask("scripts 60")
        #expect(server.waitUntil { server.ask("heard")?.contains("code: 24") == true })
        #expect(server.ask("pid") == host)
        for id in 1...60 { _ = server.ask("endscript \(id)") }
        #expect(server.waitUntil { server.ask("script echo up")?.hasSuffix("up") == true })
        #expect(server.ask("pid") == host)
        #expect(!server.log.contains("nonsense"))
        #expect(server.stop() == .exited(code: 0))
    }

    // MARK: What others remove

    @Test func runtimeFolderThatVanishedIsMadeAnew() throws {
        let server = try RunningSupervisor()
        let workers = try server.waitForWorkers(2)
        let folder = try #require(server.runtimeFolder)
        RunningSupervisor.removeFolder(folder)
        RunningSupervisor.kill(workers[0].pid)
        #expect(server.waitUntil { server.log.contains("somebody removed the runtime folder") })
        #expect(
            server.waitUntil {
                let now = (try? server.waitForWorkers(2)) ?? []
                return now.count == 2 && !now.contains(workers[0])
            })
        #expect(server.runtimeFolder == folder)
        #expect(server.stop() == .exited(code: 0))
        #expect(server.runtimeFolder == nil)
    }

    @Test func listenerThatVanishedIsMadeAnew() throws {
        let server = try RunningSupervisor()
        let host = try #require(server.ask("pid"))
        PrivateFolder.removeFile("\(server.ownFolder)/socket")
        let next = server.ask("pid")
        #expect(next != nil && next != host)
        #expect(server.log.contains("somebody removed unix:"))
        #expect(server.stop() == .exited(code: 0))
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
