// What of a response waits for its client.
// SPDX-License-Identifier: Apache-2.0

import Handlers
import Platform
import Synchronization

/// Bytes and file ranges of one response after the other that the client has not taken, in order.
///
/// The runner adds, one thread at a time; the sender takes, one thread at a time, and this knows nothing of
/// how it sends. Bytes are kept in memory up to a bound and in files up to another, charged to the host's
/// budgets. Beyond both the writer waits, and holds nothing: it goes on when half of the bound is with the
/// client, and ends when there is nobody to send to.
final class ResponseBacklog: Sendable {
    struct Limits: Sendable {
        /// Bytes of one response that wait in memory, and then in files.
        var memory: Int
        var file: Int64
        var folder: String
        /// What those of all responses may hold, and bodies and responses in files together.
        var memoryBudget: ByteBudget
        var fileBudget: ByteBudget
    }

    /// What a writer waits for: half of the bounds, or all, when the host's budgets are used up.
    private enum Room: Sendable { case half, all }

    private struct State: Sendable {
        var row = ResponseRow()
        /// Nothing more is kept.
        var isOver = false
        /// The files of the response have been closed, but for one that is being written.
        var isSpoolClosed = false
        var awaited: Room?
        /// What the budget for memory has been charged with.
        var charged = 0
    }

    /// Bytes of a response that the budget for memory is not charged with, and what it is charged at once.
    private static let free = 16 * 1024
    private static let chargeStep = 64 * 1024

    private let limits: Limits
    private let writers: WaitingThreads
    private let complaints: Complaints
    private let state = Mutex(State())
    /// [any] Set by the runner with the lock of `state`, cleared by the sender.
    private let hasPieces = Atomic<Bool>(false)
    private let gate = Gate()

    init(_ limits: Limits, writers: WaitingThreads, complaints: Complaints) {
        self.limits = limits
        self.writers = writers
        self.complaints = complaints
    }

    /// For a new client. Nothing is in it.
    func open() { state.withLock { $0 = State() } }

    /// Nothing waits to be taken; what the sender has in its hands does not count.
    var isEmpty: Bool { !hasPieces.load(ordering: .acquiring) }

    // MARK: Filled by the runner

    /// Part of a file, which is closed when it has been sent. False: nothing more is kept.
    func keep(_ file: consuming Descriptor, offset: Int64, count: Int64) -> Bool {
        let number = file.take()
        let isTaken = state.withLock { state in
            guard !state.isOver else { return false }
            state.row.append(
                .init(file: number, offset: offset, left: count, half: nil, length: count))
            hasPieces.store(true, ordering: .releasing)
            return true
        }
        if !isTaken { closeDescriptor(number) }
        return isTaken
    }

    /// Waits for the client when it has to. False: the client is gone, or was given up meanwhile.
    func keep(_ bytes: UnsafeRawBufferPointer, for sender: some BacklogSender) -> Bool {
        var rest = bytes
        while !rest.isEmpty {
            switch keepSome(of: rest) {
            case .over: return false
            case .kept(let count): rest = UnsafeRawBufferPointer(rebasing: rest[count...])
            case .full(let room, let bound):
                guard wait(for: room, bound, sender) else { return false }
            }
        }
        return true
    }

    /// The last bytes of a response, a few: they are kept beyond every bound, for who sends them must not wait.
    /// False: the client is gone.
    func keepLast(_ bytes: UnsafeRawBufferPointer) -> Bool {
        if bytes.isEmpty { return true }
        return state.withLock { state in
            if state.isOver { return false }
            state.row.append(bytes)
            hasPieces.store(true, ordering: .releasing)
            return true
        }
    }

    private enum Kept {
        case kept(Int)
        /// What is used up, for the log; nil: it has a line of its own.
        case full(Room, bound: StaticString?)
        case over
    }

    /// In memory up to the bound, then in files.
    private func keepSome(of bytes: UnsafeRawBufferPointer) -> Kept {
        let step = state.withLock { state -> ResponseSpool.Step in
            if state.isOver { return .over }
            let count = charge(&state, for: min(limits.memory - state.row.unsent, bytes.count))
            if state.row.spool.isEmpty, count > 0 {
                state.row.append(UnsafeRawBufferPointer(rebasing: bytes[..<count]))
                hasPieces.store(true, ordering: .releasing)
                return .inMemory(count)
            }
            // Without files only the end of what the host keeps for others brings room.
            let isOverBudget = state.row.spool.isEmpty && state.row.unsent < limits.memory
            let step = state.row.spool.reserve(
                bytes.count, limit: limits.file, budget: limits.fileBudget)
            if isOverBudget, case .full = step { return .overBudget }
            return step
        }
        switch step {
        case .over: return .over
        case .inMemory(let count): return .kept(count)
        case .full:
            return .full(
                .half,
                bound: "limits.response-buffer and limits.response-file are used up by it alone")
        case .overBudget:
            return .full(.all, bound: "limits.buffers and limits.spool are used up by all together")
        case .write(let half, let offset, let count):
            return spool(UnsafeRawBufferPointer(rebasing: bytes[..<count]), half, offset)
        }
    }

    /// How many of so many bytes the host's budget allows; the first ones of a response are free.
    private func charge(_ state: inout State, for count: Int) -> Int {
        while state.row.unsent + count > state.charged + Self.free,
            limits.memoryBudget.take(Int64(Self.chargeStep))
        {
            state.charged += Self.chargeStep
        }
        return min(count, state.charged + Self.free - state.row.unsent)
    }

    /// Files are written without the lock: only the runner adds. Who ends the response meanwhile leaves
    /// the file to this writer.
    private func spool(_ bytes: UnsafeRawBufferPointer, _ half: Int, _ offset: Int64) -> Kept {
        let known = state.withLock { $0.row.spool.file(of: half) }
        var opened: Int32?
        do throws(SystemError) {
            let number = if let known { known } else { try openSpool(half) }
            opened = number
            try Files.writeAll(number, bytes, at: offset)
            let count = Int64(bytes.count)
            let isOver = state.withLock { state in
                if state.isSpoolClosed { return true }
                state.row.spool.endWrite(half)
                state.row.append(
                    .init(file: number, offset: offset, left: count, half: half, length: count))
                hasPieces.store(true, ordering: .releasing)
                return false
            }
            if isOver { closeDescriptor(number) }
            return isOver ? .over : .kept(bytes.count)
        } catch {
            let isOver = state.withLock { state in
                if state.isSpoolClosed { return true }
                state.row.spool.endWrite(half)
                state.row.spool.takeBack(bytes.count, half: half, budget: limits.fileBudget)
                return false
            }
            if isOver {
                if let opened { closeDescriptor(opened) }
                return .over
            }
            complaints.log(
                "spool", .error,
                "cannot keep a response in \(limits.folder): \(error); its writer waits for the"
                    + " client; make room there, or choose another limits.temporary-folder")
            return .full(.all, bound: nil)
        }
    }

    private func openSpool(_ half: Int) throws(SystemError) -> Int32 {
        let number = try Files.open(limits.folder, [.readWrite, .unnamed]).take()
        state.withLock { if !$0.isSpoolClosed { $0.row.spool.open(half, number) } }
        return number
    }

    // MARK: The writer that waits

    /// Under no lock, until the room is there or nothing more will be sent. The sender's deadlines end it.
    private func wait(
        for room: Room, _ bound: StaticString?, _ sender: some BacklogSender
    ) -> Bool {
        ShardThread.current?._withUnsafeGuaranteedRef { $0.mayBlock() }
        // Somebody must have tried to send what is waited for: only then is the client's readiness told.
        sender.sendBacklog()
        let isCounted = sender.holdsThread
        guard !isCounted || writers.enter() else {
            complaints.log(
                "writers", .warning,
                "half of the threads wait for clients that read too slowly: the response to"
                    + " \(sender.client) was cut;"
                    + " raise limits.response-file, limits.spool or threads.max")
            sender.cut()
            return false
        }
        defer { if isCounted { writers.leave() } }
        if let bound {
            complaints.log(
                "waits", .notice,
                "a handler waits for the client \(sender.client), which reads slowly: \(bound)")
        }
        while true {
            let ticket = gate.ticket
            let canGoOn = state.withLock { state -> Bool? in
                if state.isOver { return false }
                if hasRoom(state.row, room) { return true }
                state.awaited = room
                return nil
            }
            if let canGoOn { return canGoOn }
            if !sender.isConnected { return false }
            // A second at most: the deadlines are the sender's, this only bounds a mistake.
            _ = gate.wait(after: ticket, until: Instant.now.adding(seconds: 1))
        }
    }

    private func hasRoom(_ row: borrowing ResponseRow, _ room: Room) -> Bool {
        switch room {
        case .all: row.spool.isEmpty && row.unsent == 0
        case .half: row.spool.isEmpty ? row.unsent <= limits.memory / 2 : row.spool.hasFreeHalf
        }
    }

    /// A writer that waits looks whether its client is still there. Any thread.
    func wakeWriter() { gate.wake() }

    // MARK: Emptied by the sender

    /// The next piece into the sender's hands; memory goes into `buffer`, which is empty.
    func takeFirst(_ buffer: inout [UInt8]) -> ResponseRow.Taken {
        guard hasPieces.load(ordering: .acquiring) else { return .nothing }
        return state.withLock { state in
            let taken = state.row.takeFirst(&buffer)
            if case .nothing = taken { hasPieces.store(false, ordering: .releasing) }
            return taken
        }
    }

    /// The sender has come to so many bytes that never waited here: they count as if they had.
    func adopt(_ count: Int) { state.withLock { $0.row.adopt(count) } }

    /// So much memory is with the kernel.
    func sent(_ count: Int) {
        let wakes = state.withLock { state in
            state.row.sent(count)
            if state.row.unsent == 0, state.charged > 0 {
                limits.memoryBudget.give(Int64(state.charged))
                state.charged = 0
            }
            return endWait(&state)
        }
        if wakes { gate.wake() }
    }

    /// All of a range is with the kernel.
    func sent(_ range: ResponseRow.FileRange) {
        guard let half = range.half else { return closeDescriptor(range.file) }
        let wakes = state.withLock { state in
            state.row.spool.sent(range.length, half: half, budget: limits.fileBudget)
            return endWait(&state)
        }
        if wakes { gate.wake() }
    }

    private func endWait(_ state: inout State) -> Bool {
        guard let room = state.awaited, hasRoom(state.row, room) else { return false }
        state.awaited = nil
        return true
    }

    // MARK: The end

    /// Nothing more is kept. What is there may still be sent. Any thread.
    func end() {
        state.withLock { $0.isOver = true }
        gate.wake()
    }

    /// Nothing more is kept, and what is there is forgotten. For the sender, which closes itself what it has
    /// in its hands.
    func drop() {
        let files = state.withLock { state -> [Int32] in
            state.isOver = true
            state.awaited = nil
            if state.charged > 0 { limits.memoryBudget.give(Int64(state.charged)) }
            state.charged = 0
            hasPieces.store(false, ordering: .releasing)
            state.isSpoolClosed = true
            state.row.spool.close(budget: limits.fileBudget)
            return state.row.removeAll()
        }
        for number in files { closeDescriptor(number) }
        gate.wake()
    }
}
