// A lock in the folder says that its owner lives; no sweep takes a living one.
// SPDX-License-Identifier: Apache-2.0

import Glibc
import Platform
import Synchronization
import Testing

@Suite(.serialized, .timeLimit(.minutes(5)))
struct PrivateFolderTests {
    @Test func sweepTakesTheFoldersOfTheDeadAndNoOthers() throws {
        let parent = try PrivateFolder(prefix: "mortise-test-", in: ["/tmp"])
        let living = try PrivateFolder(prefix: "swept-", in: [parent.path])
        let other = try PrivateFolder(prefix: "other-", in: [parent.path])
        // What a killed process leaves: the same folder without a lock that anybody holds.
        let dead = try orphaned("swept-", in: parent.path)
        _ = try Socket.listen(.unix("\(dead)/w1"))
        PrivateFolder.sweep(prefix: "swept-", in: [parent.path, "/no/such/folder"])
        #expect(living.isIntact && other.isIntact)
        #expect(throws: SystemError.self) { try Files.status(path: dead) }
        for folder in [living, other, parent] { folder.remove() }
    }

    @Test func folderThatIsBeingMadeIsLeftAloneUntilItsMakerCannotComeAnyMore() throws {
        let parent = try PrivateFolder(prefix: "mortise-test-", in: ["/tmp"])
        let made = "\(parent.path)/swept-made"
        mkdir(made, 0o700)
        closeDescriptor(try Files.open("\(made)/owner-comes", [.readWrite, .create]).take())
        PrivateFolder.sweep(prefix: "swept-", in: [parent.path])
        #expect(try Files.status(path: made).kind == .directory)
        var times = [timespec](repeating: timespec(tv_sec: 1, tv_nsec: 0), count: 2)
        utimensat(AT_FDCWD, made, &times, 0)
        PrivateFolder.sweep(prefix: "swept-", in: [parent.path])
        #expect(throws: SystemError.self) { try Files.status(path: made) }
        parent.remove()
    }

    @Test func folderOrLockThatVanishedIsNoticedAndMadeAnew() throws {
        let folder = try PrivateFolder(prefix: "mortise-test-", in: ["/tmp"])
        #expect(folder.isIntact)
        folder.remove()
        #expect(!folder.isIntact)
        let second = try PrivateFolder(again: folder.path)
        #expect(second.isIntact && !folder.isIntact)
        #expect(try Files.status(path: second.path).mode == 0o700)
        for name in Files.names(in: second.path) {
            PrivateFolder.removeFile("\(second.path)/\(name)")
        }
        #expect(!second.isIntact)
        let third = try PrivateFolder(again: folder.path)
        #expect(third.isIntact)
        // A late removal by an owner that has lost it takes nothing away.
        folder.remove()
        #expect(third.isIntact)
        third.remove()
        #expect(throws: SystemError.self) { try Files.status(path: third.path) }
    }

    @Test func foldersMadeWhileOthersSweepAreWholeOrNotMade() throws {
        let parent = try PrivateFolder(prefix: "mortise-test-", in: ["/tmp"])
        let path = parent.path
        let running = Atomics()
        for _ in 0..<2 {
            try Thread.start(named: "sweeper") {
                while running.goesOn {
                    PrivateFolder.sweep(prefix: "swept-", in: [path])
                }
                running.finish()
            }
        }
        for _ in 0..<500 {
            let folder = try PrivateFolder(prefix: "swept-", in: [path])
            #expect(folder.isIntact)
            _ = try Socket.listen(.unix("\(folder.path)/w1"))
            #expect(folder.isIntact)
            folder.remove()
        }
        running.stop()
        while running.finished < 2 { Thread.sleep(milliseconds: 1) }
        PrivateFolder.sweep(prefix: "swept-", in: [path])
        #expect(Files.names(in: path).filter { $0.hasPrefix("swept-") }.isEmpty)
        parent.remove()
    }

    private func orphaned(_ prefix: String, in parent: String) throws -> String {
        try PrivateFolder(prefix: prefix, in: [parent]).path
    }

    private final class Atomics: Sendable {
        private let flag = Atomic<Bool>(true)
        private let count = Atomic<Int>(0)
        var goesOn: Bool { flag.load(ordering: .relaxed) }
        func stop() { flag.store(false, ordering: .relaxed) }
        var finished: Int { count.load(ordering: .acquiring) }
        func finish() { count.wrappingAdd(1, ordering: .releasing) }
    }
}
