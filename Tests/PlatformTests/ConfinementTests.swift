// A confined process is what it was to be, or its program is never executed.
// SPDX-License-Identifier: Apache-2.0

import Platform
import Testing

@Suite(.serialized, .timeLimit(.minutes(5)))
struct ConfinementTests {
    private static let isRoot = Identity.ownUser == 0

    private func output(of command: String, _ confinement: Confinement) throws -> String {
        let pipe = try Files.pipe()
        var start = ProcessStart.shell(command)
        start.confinement = confinement
        start.descriptors = [-1, pipe.write, -1]
        let child = try ChildProcess(start)
        closeDescriptor(pipe.write)
        defer {
            _ = child.waitForEnd()
            closeDescriptor(pipe.read)
        }
        return String(decoding: try Files.readToEnd(pipe.read), as: UTF8.self)
    }

    @Test func noChildGetsMoreRightsByAProgramUnlessItMay() throws {
        let command = "grep NoNewPrivs /proc/self/status"
        #expect(try output(of: command, Confinement()) == "NoNewPrivs:\t1\n")
        var free = Confinement()
        free.keepsNewPrivileges = true
        #expect(try output(of: command, free) == "NoNewPrivs:\t0\n")
    }

    @Test func limitsMaskAndOrderTakeEffect() throws {
        var confinement = Confinement()
        confinement.limits = [
            .openFiles: 33, .fileSize: 1024, .processorTime: 77, .memory: 1 << 30, .core: 0,
        ]
        confinement.umask = 0o027
        confinement.nice = 7
        confinement.oomScore = 432
        let said = try output(
            of:
                "ulimit -n; ulimit -H -n; ulimit -t; ulimit -d; ulimit -c; umask; nice; cat /proc/$$/oom_score_adj",
            confinement)
        #expect(
            said.split(separator: "\n") == ["33", "33", "77", "1048576", "0", "0027", "7", "432"])
    }

    @Test(.enabled(if: isRoot, "only root changes users"))
    func aChildIsItsUserForGoodAndEndsWithItsParentAllTheSame() throws {
        let identity = Identity(user: 12345, group: 23456, groups: [23456, 34567])
        let said = try output(
            of: "grep -E '^(Uid|Gid|Groups)' /proc/self/status; chmod 700 /etc 2>&1 || echo no",
            Confinement(identity: identity))
        let lines = said.split(separator: "\n").map {
            $0.split { $0 == "\t" || $0 == " " }.joined(separator: " ")
        }
        #expect(
            lines.prefix(3) == [
                "Uid: 12345 12345 12345 12345", "Gid: 23456 23456 23456 23456",
                "Groups: 23456 34567",
            ])
        #expect(lines.last == "no")
    }

    @Test(.enabled(if: isRoot, "only root changes users"))
    func aFailingDropNamesItsStepAndNeverRunsTheProgram() throws {
        let folder = "/tmp/mortise-confinement-\(Exit.processNumber)"
        var start = ProcessStart.shell("echo ran > \(folder)")
        // More groups than the kernel takes (man 2 setgroups).
        let many = [UInt32](repeating: 7, count: 70_000)
        start.confinement.identity = Identity(user: 0, group: 0, groups: many)
        #expect(throws: SystemError("setgroups", code: 22)) { try ChildProcess(start) }
        // The number that means "as it is".
        start.confinement.identity = Identity(user: .max, group: 1, groups: [1])
        #expect(throws: SystemError("the change of the user did not hold", code: 1)) {
            try ChildProcess(start)
        }
        start.confinement.identity = nil
        start.confinement.oomScore = 5000
        #expect(throws: SystemError("oom_score_adj", code: 22)) { try ChildProcess(start) }
        Thread.sleep(milliseconds: 50)
        #expect(throws: SystemError.self) { try Files.status(path: folder) }
    }

    @Test(.enabled(if: isRoot, "only root changes users"))
    func aChildThatIsAnotherUserHasItsDescriptorsAndNoOthers() throws {
        let identity = Identity(user: 12345, group: 12345, groups: [12345])
        #expect(
            try output(of: "env; ls /proc/$$/fd", Confinement(identity: identity))
                == "PWD=/\n0\n1\n2\n")
        // The pipe that tells of the start may sit where one of the child's descriptors is to be.
        var start = ProcessStart.shell("exit 3")
        start.confinement.identity = identity
        start.descriptors = [Int32](repeating: -1, count: 40)
        #expect(try ChildProcess(start).waitForEnd() == .exited(code: 3))
        start.program = "/no/such/program"
        #expect(throws: SystemError("execve", code: 2)) { try ChildProcess(start) }
    }

    @Test func accountsAreFoundByNameAndNumber() throws {
        let root = try #require(try Accounts.user("root"))
        #expect(root.number == 0)
        #expect(try Accounts.user("0") == root)
        #expect(try Accounts.user("no-such-user") == nil)
        #expect(try Accounts.group(named: "root") == 0)
        #expect(try Accounts.group(named: "no-such-group") == nil)
        #expect(Accounts.groups(ofUser: "root", and: 4711).contains(4711))
    }

    @Test func anIdentityIsTheSameAsText() {
        let identity = Identity(user: 33, group: 34, groups: [34, 44])
        #expect(Identity(text: identity.text) == identity)
        #expect(Identity(text: "1:2:") == Identity(user: 1, group: 2, groups: []))
        for text in ["", "1", "1:2", "a:2:3", "1:2:x", "1:2:3:4"] {
            #expect(Identity(text: text) == nil, "\(text)")
        }
    }

    @Test func sealedMemoryIsWhatItIs() throws {
        let file = try Files.sealedMemory(named: "test", [1, 2, 3])
        #expect(try Files.contents(of: file.number) == [1, 2, 3])
        #expect(throws: SystemError.self) {
            try Files.writeAll(file.number, [4].span.bytes)
        }
    }
}
