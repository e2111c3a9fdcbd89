// What waits for a client, without a client: bounds, budgets, and the writer that waits.
// SPDX-License-Identifier: Apache-2.0

import Platform
import Synchronization
import Testing

@testable import Server

@Suite(.timeLimit(.minutes(3))) struct ResponseBacklogTests {
    /// Sends nothing by itself; the tests take from the backlog.
    private final class Sender: BacklogSender, Sendable {
        let backlog: ResponseBacklog
        let memory: ByteBudget
        let files: ByteBudget
        /// How often a writer that has to wait has asked for an attempt to send.
        let asked = Counter(0)
        private let wasCut = Atomic<Bool>(false)
        private let hasLeft = Atomic<Bool>(false)

        init(
            memory: Int = 100, file: Int64 = 200, memoryBudget: Int64 = 1 << 20,
            fileBudget: Int64 = 1 << 20, writers: WaitingThreads = WaitingThreads(most: 4),
            holdsThread: Bool = true
        ) {
            self.holdsThread = holdsThread
            self.memory = ByteBudget(limit: memoryBudget)
            files = ByteBudget(limit: fileBudget)
            let log = ErrorLog()
            log.open(path: "/dev/null")
            backlog = ResponseBacklog(
                .init(
                    memory: memory, file: file, folder: "/tmp", memoryBudget: self.memory,
                    fileBudget: files),
                writers: writers, complaints: Complaints(log))
        }

        var isCut: Bool { wasCut.load(ordering: .acquiring) }
        let holdsThread: Bool
        let client = "a test"
        var isConnected: Bool { !hasLeft.load(ordering: .acquiring) }
        func sendBacklog() { asked.countUp() }
        func cut() {
            wasCut.store(true, ordering: .releasing)
            backlog.end()
        }

        func leave() {
            hasLeft.store(true, ordering: .releasing)
            backlog.wakeWriter()
        }

        func keep(_ bytes: [UInt8]) -> Bool {
            bytes.withUnsafeBytes { backlog.keep($0, for: self) }
        }

        /// The next piece as bytes, as if the kernel had taken all of it.
        func send() throws -> [UInt8]? {
            var bytes: [UInt8] = []
            switch backlog.takeFirst(&bytes) {
            case .nothing: return nil
            case .memory: backlog.sent(bytes.count)
            case .file(let range):
                bytes = [UInt8](repeating: 0, count: Int(range.left))
                let read = try bytes.withUnsafeMutableBytes {
                    try Files.read(range.file, into: $0, at: range.offset)
                }
                #expect(read == bytes.count)
                backlog.sent(range)
            }
            return bytes
        }

        /// Keeps bytes on another thread; gives back once that one waits.
        func keepWaiting(_ bytes: [UInt8]) throws -> Writer {
            let writer = Writer()
            try Thread.start(named: "writer") { [self] in
                writer.result.store(keep(bytes) ? 1 : 0, ordering: .releasing)
            }
            while asked.isZero, !writer.isDone { Thread.sleep(milliseconds: 1) }
            return writer
        }
    }

    private final class Writer: Sendable {
        let result = Atomic<Int>(-1)
        var isDone: Bool { result.load(ordering: .acquiring) >= 0 }
        /// Waits until it is through: whether all was kept.
        func wait() -> Bool {
            while !isDone { Thread.sleep(milliseconds: 1) }
            return result.load(ordering: .acquiring) == 1
        }
    }

    private func numbered(_ range: Range<Int>) -> [UInt8] { range.map { UInt8($0 % 251) } }

    @Test func whatMemoryHasNoRoomForGoesToFilesAndComesOutInOrder() throws {
        let sender = Sender()
        #expect(sender.keep(numbered(0..<60)) && sender.keep(numbered(60..<270)))
        #expect(sender.memory.charged == 0 && sender.files.charged == 170)
        #expect(try sender.send() == numbered(0..<100))
        #expect(try sender.send() == numbered(100..<200))
        #expect(try sender.send() == numbered(200..<270))
        #expect(try sender.send() == nil)
        #expect(sender.backlog.isEmpty && sender.files.charged == 0)
    }

    @Test func aWriterBeyondBothBoundsGoesOnWhenHalfOfTheFilesIsSent() throws {
        let sender = Sender()
        let writer = try sender.keepWaiting(numbered(0..<350))
        #expect(!writer.isDone)
        #expect(try sender.send() == numbered(0..<100))
        #expect(!writer.isDone)
        #expect(try sender.send() == numbered(100..<200))
        #expect(writer.wait())
        #expect(try sender.send() == numbered(200..<300))
        #expect(try sender.send() == numbered(300..<350))
        #expect(sender.files.charged == 0)
    }

    @Test func aWriterWithoutABudgetForFilesWaitsUntilAllIsSent() throws {
        let sender = Sender(fileBudget: 0)
        let writer = try sender.keepWaiting(numbered(0..<150))
        #expect(!writer.isDone)
        #expect(try sender.send() == numbered(0..<100))
        #expect(writer.wait())
        #expect(try sender.send() == numbered(100..<150))
    }

    enum Ending: CaseIterable { case cut, forgotten, reset }

    @Test(arguments: Ending.allCases)
    func aWriterStopsWaitingWhenThereIsNobodyToSendTo(_ ending: Ending) throws {
        let sender = Sender()
        let writer = try sender.keepWaiting(numbered(0..<350))
        #expect(!writer.isDone)
        switch ending {
        case .cut: sender.cut()
        case .forgotten: sender.backlog.drop()
        case .reset: sender.leave()
        }
        #expect(!writer.wait())
        sender.backlog.drop()
        #expect(sender.backlog.isEmpty && sender.files.charged == 0)
    }

    @Test func oneWriterMoreThanMayWaitHasItsResponseCut() {
        let writers = WaitingThreads(most: 1)
        #expect(writers.enter())
        let sender = Sender(writers: writers)
        #expect(!sender.keep(numbered(0..<350)))
        #expect(sender.isCut)
        writers.leave()
        #expect(writers.enter())
    }

    @Test func aWriterThatIsNoThreadOfTheServersIsNotCounted() throws {
        let sender = Sender(writers: WaitingThreads(most: 0), holdsThread: false)
        let writer = try sender.keepWaiting(numbered(0..<350))
        while !writer.isDone || !sender.backlog.isEmpty { _ = try sender.send() }
        #expect(writer.wait() && !sender.isCut)
    }

    @Test func theLastBytesOfAResponseAreKeptWithoutAWaitHoweverFullItIs() throws {
        let sender = Sender(writers: WaitingThreads(most: 0))
        #expect(sender.keep(numbered(0..<300)))
        #expect(numbered(300..<320).withUnsafeBytes { sender.backlog.keepLast($0) })
        #expect(sender.asked.isZero && !sender.isCut)
        var sent: [UInt8] = []
        while let piece = try sender.send() { sent += piece }
        #expect(sent == numbered(0..<320))
        #expect(sender.memory.charged == 0 && sender.files.charged == 0)
    }

    @Test func aWriterThatOthersLeaveNoMemoryWaitsUntilItsOwnIsSent() throws {
        let sender = Sender(memory: 1 << 20, file: 0, memoryBudget: 0)
        let writer = try sender.keepWaiting(numbered(0..<20_000))
        #expect(!writer.isDone)
        #expect(try sender.send()?.count == 16_384)
        #expect(writer.wait())
        // Once, not for ever: it has slept meanwhile.
        #expect(sender.asked.current == 1)
        #expect(try sender.send()?.count == 20_000 - 16_384)
    }

    @Test func memoryIsChargedBeyondTheFirstBytesAndGivenBackWhenAllIsSentOrForgotten() throws {
        let sender = Sender(memory: 1 << 20)
        #expect(sender.keep(numbered(0..<16_384)) && sender.memory.charged == 0)
        #expect(sender.keep(numbered(0..<100_000)) && sender.memory.charged == 131_072)
        #expect(try sender.send()?.count == 116_384)
        #expect(sender.memory.charged == 0)
        #expect(sender.keep(numbered(0..<100_000)) && sender.memory.charged == 131_072)
        sender.backlog.drop()
        #expect(sender.memory.charged == 0)
    }

    @Test func whatTheBudgetForMemoryRefusesGoesToFiles() throws {
        let sender = Sender(memory: 1 << 20, file: 1 << 20, memoryBudget: 0)
        #expect(sender.keep(numbered(0..<20_000)))
        #expect(sender.files.charged == 20_000 - 16_384)
        #expect(try sender.send() == numbered(0..<16_384))
        #expect(try sender.send() == numbered(16_384..<20_000))
    }

    @Test func afterTheEndNothingIsKeptUntilTheNextClient() throws {
        let sender = Sender()
        #expect(sender.keep(numbered(0..<10)))
        sender.backlog.end()
        #expect(!sender.keep(numbered(10..<20)))
        let file = try Files.open("/tmp", [.readWrite, .unnamed]).take()
        let isKept = sender.backlog.keep(Descriptor(owning: file), offset: 0, count: 1)
        #expect(!isKept)
        #expect((try? Files.status(file)) == nil)
        #expect(try sender.send() == numbered(0..<10))
        sender.backlog.drop()
        sender.backlog.open()
        #expect(sender.keep(numbered(0..<10)))
    }
}
