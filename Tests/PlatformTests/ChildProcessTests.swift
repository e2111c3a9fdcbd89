// A started process gets what it was given, and no more.
// SPDX-License-Identifier: Apache-2.0

import Platform
import Testing

@Suite(.serialized, .timeLimit(.minutes(5)))
struct ChildProcessTests {
    @Test func exitCodeAndSignalAreTold() throws {
        let exited = try ChildProcess(.shell("exit 7"))
        #expect(exited.waitForEnd() == .exited(code: 7))
        let killed = try ChildProcess(.shell("kill -9 $$"))
        #expect(killed.waitForEnd() == .killed(signal: 9))
    }

    @Test func childHasExactlyTheGivenDescriptorsAndVariables() throws {
        let extra = try Files.open("/dev/null", .readOnly)
        let answer = try output(
            of: .shell("env; ls /proc/$$/fd", environment: ["A=b c"]),
            beside: [extra.number])
        let lines = Set(answer.split(separator: "\n").map(String.init))
        #expect(lines == ["A=b c", "PWD=/", "0", "1", "2", "3"])
    }

    @Test func descriptorsMayTradePlaces() throws {
        let first = try Files.pipe()
        let second = try Files.pipe()
        var start = ProcessStart.shell("echo out >&1; echo err >&2")
        // Sources that sit at low numbers must survive the arrangement, in any order.
        start.descriptors = [-1, second.write, first.write]
        let child = try ChildProcess(start)
        closeDescriptor(first.write)
        closeDescriptor(second.write)
        #expect(try readAll(first.read) == "err\n")
        #expect(try readAll(second.read) == "out\n")
        #expect(child.waitForEnd() == .exited(code: 0))
    }

    @Test func childStartsInItsFolderAndOwnSession() throws {
        var start = ProcessStart.shell("pwd; cut -d' ' -f1,5,6 /proc/$$/stat")
        start.folder = "/usr"
        let pipe = try Files.pipe()
        start.descriptors = [-1, pipe.write, -1]
        let child = try ChildProcess(start)
        closeDescriptor(pipe.write)
        #expect(try readAll(pipe.read) == "/usr\n\(child.pid) \(child.pid) \(child.pid)\n")
        _ = child.waitForEnd()
    }

    @Test func signalsAreAtTheirDefaultsInTheChild() throws {
        Signal.ignore(.pipe)
        let answer = try output(of: .shell("grep -E 'Sig(Blk|Ign)' /proc/self/status"))
        #expect(answer == "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n")
    }

    @Test func failureToExecuteIsTheErrorOfTheStart() {
        #expect(throws: SystemError("execve", code: 2)) {
            try ChildProcess(ProcessStart(program: "/no/such/program", arguments: ["x"]))
        }
        #expect(throws: SystemError("execve", code: 13)) {
            try ChildProcess(ProcessStart(program: "/etc/passwd", arguments: ["x"]))
        }
        var start = ProcessStart.shell("exit 0")
        start.folder = "/no/such/folder"
        #expect(throws: SystemError("chdir", code: 2)) { try ChildProcess(start) }
    }

    @Test func groupEndsWithItsLeaderEvenWhenTheLeaderIsAZombie() throws {
        let pipe = try Files.pipe()
        var start = ProcessStart.shell("sleep 1000 & echo started; exit 0")
        start.descriptors = [-1, pipe.write, -1]
        let child = try ChildProcess(start)
        closeDescriptor(pipe.write)
        while child.end() == nil { Thread.sleep(milliseconds: 1) }
        child.signalGroup(.kill)
        // The end of the file is the proof: the sleeping grandchild held the pipe.
        #expect(try readAll(pipe.read) == "started\n")
        #expect(child.reap() == .exited(code: 0))
        #expect(child.reap() == nil)
    }

    @Test func programIsFoundAlongThePath() {
        #expect(ProgramSearch.find("sh")?.hasSuffix("/sh") == true)
        #expect(ProgramSearch.find("no-such-program") == nil)
        #expect(ProgramSearch.find("/etc/passwd") == nil)
    }

    @Test func privateFolderIsForThisUserAloneAndGoesAway() throws {
        let folder = try PrivateFolder(prefix: "mortise-test-", in: ["/no/such", "/tmp"])
        #expect(try Files.status(path: folder.path).mode == 0o700)
        _ = try Socket.listen(.unix("\(folder.path)/w1"))
        folder.remove()
        #expect(throws: SystemError("stat", code: 2)) { try Files.status(path: folder.path) }
    }

    private func output(of start: ProcessStart, beside: [Int32] = []) throws -> String {
        let pipe = try Files.pipe()
        var start = start
        start.descriptors = [-1, pipe.write, -1] + beside
        let child = try ChildProcess(start)
        closeDescriptor(pipe.write)
        defer { _ = child.waitForEnd() }
        return try readAll(pipe.read)
    }

    private func readAll(_ number: Int32) throws -> String {
        let bytes = try Files.readToEnd(number)
        closeDescriptor(number)
        return String(decoding: bytes, as: UTF8.self)
    }
}

extension ProcessStart {
    static func shell(_ command: String, environment: [String] = []) -> ProcessStart {
        var start = ProcessStart(program: "/bin/sh", arguments: ["sh", "-c", command])
        start.environment = environment.map { Array($0.utf8) }
        start.folder = "/"
        // The threads of the test runner come and go; the children need not go with them.
        start.endsWithParent = false
        return start
    }
}

extension ChildProcess {
    func waitForEnd() -> End? {
        _ = Socket.wait(handle.number, for: .readable, milliseconds: 20_000)
        return reap()
    }
}
