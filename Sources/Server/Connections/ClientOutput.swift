// Response bytes on their way to one client.
// SPDX-License-Identifier: Apache-2.0

import Handlers
import Platform
import Synchronization

/// The sending side of a connection: a small buffer that the exchange's runner fills, a row behind it for
/// what the kernel does not take at once, and the role of the one thread that sends, this object's turn.
///
/// Mostly the runner fills the buffer, becomes the sender, and all is sent: no lock but a short one. When the
/// client takes nothing, the rest goes to the row, and whoever learns of its readiness is the sender. A
/// writer waits only when the client is beyond the row's bounds in memory and in files, and holds nothing.
final class ClientOutput: Schedulable, @unchecked Sendable {
    // because the base class says so: the buffer has a lock, the row has a lock, the rest is the sender's

    struct Limits: Sendable {
        /// Bytes of one response that wait in memory, and then in files.
        var memory: Int
        var file: Int64
        var folder: String
        var pace: SendPace.Limits
    }

    /// What sending came to.
    enum Progress: Sendable {
        /// Everything is with the kernel.
        case sent
        /// The client takes nothing now, or another thread is sending.
        case blocked
        /// There will be no more: the client is gone or was given up.
        case over
    }

    private struct Row: Sendable {
        var row = ResponseRow()
        var isOver = false
        /// The files of the response have been closed, but for one that is being written.
        var isSpoolClosed = false
        /// The sender wakes the connection when all is sent, or nothing will be.
        var tellsConnection = false
        /// A writer waits for half of the bounds, or for all, when the host's budgets are used up.
        var waiting: Wait?
        /// What the host's budget for memory has been charged with.
        var charged = 0
    }

    /// Bytes in the buffer after which they are sent; larger writes are sent from where they are.
    static let directWrite = 16 * 1024
    /// Bytes after which the sender lets others have a turn.
    private static let turnBudget: Int64 = 2 << 20
    private static let chargeStep = 64 * 1024

    let shard: Shard
    private let limits: Limits
    private let connection: Unmanaged<Connection>

    /// Guards `buffer`. Only the runner adds to it and lends it memory; others take what lies too long.
    private let bufferLock = ShortLock()
    private var buffer: [UInt8] = []
    /// [any] Changed under `bufferLock` only, and the last thing that is changed there.
    private let hasBuffered = Atomic<Bool>(false)

    private let state = Mutex(Row())
    /// [any] Set by the runner with the row's lock, cleared by the sender.
    private let hasRow = Atomic<Bool>(false)
    private let room = Gate()
    /// [any] The client takes nothing: the poller tells when it does.
    let isBlocked = Atomic<Bool>(false)
    /// [any] The generations whose client was seen to have reset the connection, and that were given up.
    private let resetGeneration = Atomic<UInt64>(.max)
    private let cutGeneration = Atomic<UInt64>(.max)

    // [sender]
    private var transport = Transport.none
    private var sending: [UInt8] = []
    private var sendingStart = 0
    private var file: ResponseRow.FileRange?
    private var resetsOnClose = false
    private var hasUsedBudget = false
    private var pace = SendPace()

    init(connection: Connection, shard: Shard) {
        self.connection = .passUnretained(connection)
        self.shard = shard
        limits = shard.host.outputLimits
        super.init()
    }

    /// A new connection in the slot.
    func open(_ transport: Transport) {
        claim()
        self.transport = transport
        resetsOnClose = false
        pace = SendPace()
        state.withLock { $0 = Row() }
        finishTurn()
    }

    private var generation: UInt64 {
        connection._withUnsafeGuaranteedRef { UInt64($0.generation.load(ordering: .relaxed)) }
    }

    /// False once the client has reset the connection or was given up.
    var isConnected: Bool {
        let generation = generation
        return resetGeneration.load(ordering: .relaxed) != generation
            && cutGeneration.load(ordering: .relaxed) != generation
    }

    /// Whether the calling thread runs the handler of this connection's exchange: the clock sees to it
    /// that what such a thread leaves in the buffer is sent.
    var isHandledHere: Bool {
        ShardThread.current?._withUnsafeGuaranteedRef {
            $0.handling.load(ordering: .relaxed)?.toOpaque()
                == Unmanaged.passUnretained(self).toOpaque()
        } ?? false
    }

    // MARK: The buffer, filled by the runner

    /// Adds bytes; how many lie there now.
    func append(_ fill: (inout [UInt8]) -> Void) -> Int {
        bufferLock.withLock {
            fill(&buffer)
            hasBuffered.store(true, ordering: .relaxed)
            return buffer.count
        }
    }

    /// Memory for the buffer, as long as the connection is active. Both ways nothing is in it.
    func lend(_ memory: inout [UInt8]) {
        guard !hasBuffered.load(ordering: .acquiring) else { return }
        swap(&buffer, &memory)
    }

    // MARK: Sending by the runner

    /// The buffer's bytes take their place in the row, and part of a file behind them, which is closed when
    /// it has been sent: heads travel with the beginning of their file. False: the client is gone.
    func append(
        _ scratch: inout [UInt8], then file: consuming Descriptor, offset: Int64, count: Int64
    ) -> Bool {
        takeBuffer(&scratch)
        defer { scratch.removeAll(keepingCapacity: true) }
        guard scratch.withUnsafeBytes({ keep($0) }) else { return false }
        return append(file, offset: offset, count: count)
    }

    /// Sends the buffer, and bytes behind it from where they are; what the kernel does not take is kept.
    /// `scratch` is the runner's, and empty again afterwards.
    ///
    /// - Parameter tellsConnection: when not all is sent at once, the connection is woken when it is.
    /// - Returns: `.over` when the client is gone.
    func send(
        _ scratch: inout [UInt8], then bytes: UnsafeRawBufferPointer = .init(start: nil, count: 0),
        tellsConnection: Bool = false
    ) -> Progress {
        takeBuffer(&scratch)
        defer { scratch.removeAll(keepingCapacity: scratch.capacity <= Self.directWrite * 4) }
        if !isConnected { return .over }
        if scratch.isEmpty && bytes.isEmpty { return flushRow(tellsConnection: tellsConnection) }
        if !hasRow.load(ordering: .acquiring), arrive(.flush) {
            let left = hasRow.load(ordering: .acquiring) ? (0, 0) : sendNow(scratch, bytes)
            finishTurn()
            if !isConnected { return .over }
            if left.0 == scratch.count && left.1 == bytes.count { return .sent }
            return keep(scratch, from: left.0, bytes, from: left.1, tellsConnection)
        }
        return keep(scratch, from: 0, bytes, from: 0, tellsConnection)
    }

    /// Sends what lies in the buffer although its runner does not: it has given the exchange away.
    func flushForOthers(on thread: ShardThread) {
        guard hasBuffered.load(ordering: .acquiring), arrive(.flush) else { return }
        run(.flush, on: thread)
    }

    /// What the client of a response that was cut still gets: as much as the kernel takes at once.
    func sendLast(_ scratch: inout [UInt8]) {
        takeBuffer(&scratch)
        if !scratch.isEmpty, !hasRow.load(ordering: .acquiring), arrive(.flush) {
            if sendingStart == sending.count, file == nil, transport.isOpen {
                _ = scratch.withUnsafeBytes { transport.send($0) }
            }
            finishTurn()
        }
        scratch.removeAll(keepingCapacity: true)
    }

    private func takeBuffer(_ scratch: inout [UInt8]) {
        guard hasBuffered.load(ordering: .relaxed) else { return }
        bufferLock.withLock {
            // Another thread may have taken it just now.
            if hasBuffered.load(ordering: .relaxed) {
                swap(&buffer, &scratch)
                hasBuffered.store(false, ordering: .releasing)
            }
        }
    }

    /// [sender] With an empty row: how many bytes of each the kernel has taken.
    private func sendNow(_ first: [UInt8], _ second: UnsafeRawBufferPointer) -> (Int, Int) {
        guard sendingStart == sending.count, file == nil, transport.isOpen else { return (0, 0) }
        let result = first.withUnsafeBytes { first in
            second.isEmpty ? transport.send(first) : transport.send(first, second)
        }
        switch result {
        case .bytes(let count):
            pace.sent(Int64(count))
            let ofFirst = min(count, first.count)
            return (ofFirst, count - ofFirst)
        case .wouldBlock:
            return (0, 0)
        case .end, .failed:
            breakOff()
            return (0, 0)
        }
    }

    private func keep(
        _ first: [UInt8], from start: Int, _ second: UnsafeRawBufferPointer, from offset: Int,
        _ tellsConnection: Bool
    ) -> Progress {
        let isKept = first.withUnsafeBytes {
            keep(UnsafeRawBufferPointer(rebasing: $0[start...]))
        }
        guard isKept, keep(UnsafeRawBufferPointer(rebasing: second[offset...])) else {
            return .over
        }
        return flushRow(tellsConnection: tellsConnection)
    }

    /// Sends the row, when nobody else is at it.
    func flushRow(tellsConnection: Bool) -> Progress {
        if tellsConnection { state.withLock { $0.tellsConnection = true } }
        guard arrive(.flush) else { return .blocked }
        let progress = pump()
        if progress != .blocked { state.withLock { $0.tellsConnection = false } }
        finishTurn()
        return progress
    }

    // MARK: The row, filled by the runner

    private func append(_ file: consuming Descriptor, offset: Int64, count: Int64) -> Bool {
        let number = file.take()
        let isTaken = state.withLock { state in
            guard !state.isOver else { return false }
            state.row.append(
                .init(file: number, offset: offset, left: count, half: nil, length: count))
            hasRow.store(true, ordering: .releasing)
            return true
        }
        if !isTaken { closeDescriptor(number) }
        return isTaken
    }

    private enum Wait: Sendable { case half, all }

    private enum Kept {
        case kept(Int)
        case full(Wait)
        case over
    }

    /// False: the client is gone, or was given up while its writer waited for it.
    private func keep(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var rest = bytes
        while !rest.isEmpty {
            switch keepSome(of: rest) {
            case .over: return false
            case .kept(let count): rest = UnsafeRawBufferPointer(rebasing: rest[count...])
            case .full(let wait): guard waitForRoom(wait) else { return false }
            }
        }
        return true
    }

    /// In memory up to the bound, then in files.
    private func keepSome(of bytes: UnsafeRawBufferPointer) -> Kept {
        let step = state.withLock { state -> ResponseSpool.Step in
            if state.isOver { return .over }
            let count = charge(&state, for: min(limits.memory - state.row.unsent, bytes.count))
            if state.row.spool.isEmpty, count > 0 {
                state.row.append(UnsafeRawBufferPointer(rebasing: bytes[..<count]))
                hasRow.store(true, ordering: .releasing)
                return .inMemory(count)
            }
            return state.row.spool.reserve(
                bytes.count, limit: limits.file, budget: shard.host.spoolBudget)
        }
        switch step {
        case .over: return .over
        case .inMemory(let count): return .kept(count)
        case .full: return .full(.half)
        case .overBudget: return .full(.all)
        case .write(let half, let offset, let count):
            return spool(UnsafeRawBufferPointer(rebasing: bytes[..<count]), half, offset)
        }
    }

    /// How many of so many bytes the host's budget allows; the first ones of a response are free.
    private func charge(_ state: inout Row, for count: Int) -> Int {
        while state.row.unsent + count > state.charged + Self.directWrite,
            shard.host.memoryBudget.take(Int64(Self.chargeStep))
        {
            state.charged += Self.chargeStep
        }
        return min(count, state.charged + Self.directWrite - state.row.unsent)
    }

    /// Files are written without the lock: only the runner appends. Who ends the response meanwhile leaves
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
                hasRow.store(true, ordering: .releasing)
                return false
            }
            if isOver { closeDescriptor(number) }
            return isOver ? .over : .kept(bytes.count)
        } catch {
            let isOver = state.withLock { state in
                if state.isSpoolClosed { return true }
                state.row.spool.endWrite(half)
                state.row.spool.takeBack(
                    bytes.count, half: half, budget: shard.host.spoolBudget)
                return false
            }
            if isOver {
                if let opened { closeDescriptor(opened) }
                return .over
            }
            shard.host.complaints.log(
                "spool", .error,
                "cannot keep a response in \(limits.folder): \(error); its writer waits for the"
                    + " client")
            return .full(.all)
        }
    }

    private func openSpool(_ half: Int) throws(SystemError) -> Int32 {
        let number = try Files.open(limits.folder, [.readWrite, .unnamed]).take()
        state.withLock { if !$0.isSpoolClosed { $0.row.spool.open(half, number) } }
        return number
    }

    /// Beyond both bounds the writer waits, under no lock, until half of it is with the client or nothing
    /// more will be sent. The sender's deadlines end it.
    private func waitForRoom(_ wait: Wait) -> Bool {
        ShardThread.current?._withUnsafeGuaranteedRef { $0.mayBlock() }
        // Somebody must have tried to send what is waited for: only then is the client's readiness told.
        _ = flushRow(tellsConnection: false)
        let waiting = shard.waitingWriters.add(1, ordering: .relaxed).newValue
        defer { shard.waitingWriters.subtract(1, ordering: .relaxed) }
        guard waiting <= shard.mostWaitingWriters else {
            shard.host.complaints.log(
                "writers", .warning,
                "half of the threads wait for clients that read too slowly: a response was cut;"
                    + " raise limits.response-file, limits.spool or threads.max")
            cut()
            return false
        }
        // A folder that cannot be written has its own line.
        let bound =
            wait == .half
            ? "limits.response-buffer and limits.response-file are used up by one response"
            : "no more of it can be kept in files, see limits.spool"
        shard.host.complaints.log(
            "waits", .notice, "a handler waits for a client that reads slowly: \(bound)")
        while true {
            let ticket = room.ticket
            let canGoOn = state.withLock { state -> Bool? in
                if state.isOver { return false }
                if hasRoom(state.row, wait) { return true }
                state.waiting = wait
                return nil
            }
            if let canGoOn { return canGoOn }
            if !isConnected { return false }
            // A second at most: the deadlines are the sender's, this only bounds a mistake.
            _ = room.wait(after: ticket, until: Instant.now.adding(seconds: 1))
        }
    }

    private func hasRoom(_ row: borrowing ResponseRow, _ wait: Wait) -> Bool {
        switch wait {
        case .all: row.spool.isEmpty && row.unsent == 0
        case .half: row.spool.isEmpty ? row.unsent <= limits.memory / 2 : row.spool.hasFreeHalf
        }
    }

    // MARK: The sender

    override func run(_ first: Causes, on thread: ShardThread) {
        handle(first)
        finishTurn()
    }

    /// Gives the turn back; first does what has come meanwhile.
    private func finishTurn() {
        while true {
            if hasUsedBudget {
                hasUsedBudget = false
                yield(.budget)
                return shard.enqueue(.passUnretained(self), waitsForHandler: false)
            }
            guard let causes = rest() else { return }
            handle(causes)
        }
    }

    private func handle(_ causes: Causes) {
        if causes.contains(.close) { return closeNow() }
        guard transport.isOpen else { return }
        if causes.contains(.expired), !checkPace() { breakOff() }
        if hasBuffered.load(ordering: .relaxed) { takeStale() }
        if case .blocked = pump() { return }
        let tells = state.withLock { state in
            defer { state.tellsConnection = false }
            return state.tellsConnection
        }
        if tells { connection._withUnsafeGuaranteedRef { shard.wake($0, .sent) } }
    }

    /// What a runner has buffered before it began to think: it is sent all the same.
    ///
    /// The row is looked at under the buffer's lock: a runner that keeps bytes in the row has done so
    /// before it buffers the next ones, so what is buffered behind a row is never sent before it.
    private func takeStale() {
        guard sendingStart == sending.count, file == nil else { return }
        sending.removeAll(keepingCapacity: true)
        sendingStart = 0
        bufferLock.withLock {
            guard hasBuffered.load(ordering: .relaxed), !hasRow.load(ordering: .acquiring) else {
                return
            }
            swap(&buffer, &sending)
            hasBuffered.store(false, ordering: .releasing)
        }
        let count = sending.count
        if count > 0 { state.withLock { $0.row.adopt(count) } }
    }

    /// Sends until nothing is left, the kernel takes no more, or the turn's budget is used up.
    private func pump() -> Progress {
        var sent: Int64 = 0
        while takeNext() {
            switch sendPiece() {
            case .bytes(let count):
                sent += Int64(count)
                if sent >= Self.turnBudget {
                    // The socket stays writable and says nothing: the rest goes on from the queue.
                    hasUsedBudget = true
                    return .blocked
                }
            case .wouldBlock:
                if beginWait() { return .blocked }
            case .end, .failed:
                breakOff()
                return .over
            }
        }
        if isBlocked.load(ordering: .relaxed) { endWait() }
        return isConnected ? .sent : .over
    }

    /// True: the client is waited for. The mark comes before the last attempt, so that no readiness falls
    /// between the two.
    private func beginWait() -> Bool {
        guard isBlocked.exchange(true, ordering: .sequentiallyConsistent) else { return false }
        let next = pace.wait(limits.pace, undelivered: transport.undelivered, now: .now)
        shard.arm(self, at: next)
        return true
    }

    private func endWait() {
        isBlocked.store(false, ordering: .relaxed)
        pace.stop()
        deadline.store(.max, ordering: .relaxed)
    }

    /// The next piece into the sender's hands; false when there is none.
    private func takeNext() -> Bool {
        if sendingStart < sending.count { return true }
        if let range = file {
            if range.left > 0 { return true }
            file = nil
            endFile(range)
        }
        if sendingStart > 0 {
            sending.removeAll(keepingCapacity: true)
            sendingStart = 0
        }
        guard hasRow.load(ordering: .acquiring) else { return false }
        let taken = state.withLock { state in
            let taken = state.row.takeFirst(&sending)
            if case .nothing = taken { hasRow.store(false, ordering: .releasing) }
            return taken
        }
        switch taken {
        case .nothing: return false
        case .memory: return true
        case .file(let range):
            file = range
            return true
        }
    }

    private func sendPiece() -> Socket.Transfer {
        if sendingStart < sending.count {
            let result = sending.withUnsafeBytes {
                transport.send(
                    UnsafeRawBufferPointer(rebasing: $0[sendingStart...]),
                    more: hasRow.load(ordering: .relaxed))
            }
            if case .bytes(let count) = result {
                sendingStart += count
                pace.sent(Int64(count))
                deliver(count)
            }
            return result
        }
        let count = Int(min(file!.left, Self.turnBudget))
        let result = transport.sendFile(file!.file, offset: &file!.offset, count: count)
        switch result {
        case .bytes(let count):
            file!.left -= Int64(count)
            pace.sent(Int64(count))
        // The file was truncated while it was served (P6): the client must notice.
        case .end: resetsOnClose = true
        case .wouldBlock, .failed: break
        }
        return result
    }

    private func endFile(_ range: ResponseRow.FileRange) {
        guard let half = range.half else { return closeDescriptor(range.file) }
        let wakes = state.withLock { state in
            state.row.spool.sent(range.length, half: half, budget: shard.host.spoolBudget)
            return endWriterWait(&state)
        }
        if wakes { room.wake() }
    }

    /// So much memory is with the kernel.
    private func deliver(_ count: Int) {
        let wakes = state.withLock { state in
            state.row.sent(count)
            if state.row.unsent == 0, state.charged > 0 {
                shard.host.memoryBudget.give(Int64(state.charged))
                state.charged = 0
            }
            return endWriterWait(&state)
        }
        if wakes { room.wake() }
    }

    private func endWriterWait(_ state: inout Row) -> Bool {
        guard let wait = state.waiting, hasRoom(state.row, wait) else { return false }
        state.waiting = nil
        return true
    }

    /// A deadline of the sender's has passed, or it was armed too early. False: the client is too slow.
    private func checkPace() -> Bool {
        guard isBlocked.load(ordering: .relaxed) else { return true }
        switch pace.check(limits.pace, undelivered: transport.undelivered, now: .now) {
        case .fine(let next):
            shard.arm(self, at: next)
            return true
        case .wrong(let what):
            shard.host.complaints.log("slow", .notice, "a client was given up: it \(what)")
            resetsOnClose = true
            return false
        }
    }

    // MARK: The end

    /// The client is gone, or is given up: nothing more is sent.
    private func breakOff() {
        cutGeneration.store(generation, ordering: .relaxed)
        drop()
    }

    /// The response ends here. Any thread.
    func cut() {
        cutGeneration.store(generation, ordering: .relaxed)
        state.withLock { $0.isOver = true }
        room.wake()
    }

    /// The poller says that the client of that generation has reset the connection. Any thread.
    func clientReset(generation: UInt32) {
        resetGeneration.store(UInt64(generation), ordering: .relaxed)
        room.wake()
    }

    /// Forgets what is not sent.
    private func drop() {
        let files = state.withLock { state -> [Int32] in
            state.isOver = true
            state.waiting = nil
            if state.charged > 0 { shard.host.memoryBudget.give(Int64(state.charged)) }
            state.charged = 0
            hasRow.store(false, ordering: .releasing)
            state.isSpoolClosed = true
            state.row.spool.close(budget: shard.host.spoolBudget)
            return state.row.removeAll()
        }
        for number in files { closeDescriptor(number) }
        if let range = file, range.half == nil { closeDescriptor(range.file) }
        file = nil
        sending = []
        sendingStart = 0
        endWait()
        room.wake()
    }

    /// The connection ends: whoever has the sender's turn closes the socket.
    func close(reset: Bool) {
        if reset { cut() }
        guard arrive(.close) else { return room.wake() }
        closeNow()
        finishTurn()
    }

    private func closeNow() {
        guard transport.isOpen else { return }
        if resetsOnClose || !isConnected { transport.resetOnClose() }
        drop()
        var left: [UInt8] = []
        takeBuffer(&left)
        let closing = transport
        transport = .none
        connection._withUnsafeGuaranteedRef { $0.socketWillClose() }
        closing.close()
        connection._withUnsafeGuaranteedRef { $0.didClose() }
    }
}
