// Response bytes on their way to one client.
// SPDX-License-Identifier: Apache-2.0

import Handlers
import Platform
import Synchronization

/// The sending side of a connection: a small buffer that the exchange's runner fills, a backlog behind it
/// for what the kernel does not take at once, and the role of the one thread that sends, this object's turn.
///
/// Mostly the runner fills the buffer, becomes the sender, and all is sent: no lock but a short one. When the
/// client takes nothing, the rest goes to the backlog, and whoever learns of its readiness is the sender.
final class ClientOutput: Schedulable, BacklogSender, @unchecked Sendable {
    // because the base class says so: buffer and backlog have locks, the rest is the sender's

    /// What sending came to.
    enum Progress: Sendable {
        /// Everything is with the kernel.
        case sent
        /// The client takes nothing now, or another thread is sending.
        case blocked
        /// There will be no more: the client is gone or was given up.
        case over
    }

    /// Bytes in the buffer after which they are sent; larger writes are sent from where they are.
    static let directWrite = 16 * 1024
    /// Bytes after which the sender lets others have a turn.
    private static let turnBudget: Int64 = 2 << 20

    let shard: Shard
    private let limits: SendPace.Limits
    private let connection: Unmanaged<Connection>

    private let buffer = OutputBuffer()
    /// [any] What waits for the client: made when the first client of this slot takes less than there is, or
    /// is sent a file, and kept then. An idle connection that never needed one is so much smaller.
    private let backlog = Atomic<Unmanaged<ResponseBacklog>?>(nil)
    /// [any] The sender wakes the connection when all is sent, or nothing will be. Cleared by the sender.
    private let tellsConnection = Atomic<Bool>(false)
    /// [any] The client takes nothing: the poller tells when it does.
    let isBlocked = Atomic<Bool>(false)
    /// [any] The client was seen to have reset the connection, or was given up.
    private let resetMark = GenerationMark()
    private let cutMark = GenerationMark()

    /// [any] Bytes of the connection that the kernel has taken, counted by the sender.
    private let sentCount = Atomic<Int64>(0)
    /// Why a response was cut by this side.
    enum CutReason {
        /// What the client did.
        case client(String)
        /// What became of the file that was sent.
        case file(String)
    }

    /// [any] Whoever answers the client makes a line of it.
    private let cutReason = Mutex<CutReason?>(nil)

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
        limits = shard.host.paceLimits
        super.init()
    }

    /// A new connection in the slot. False: something late of the last one is still in a queue.
    func open(_ transport: Transport) -> Bool {
        guard claim() else { return false }
        self.transport = transport
        resetsOnClose = false
        pace = SendPace()
        withBacklog { $0.open() }
        tellsConnection.store(false, ordering: .relaxed)
        sentCount.store(0, ordering: .relaxed)
        cutReason.withLock { $0 = nil }
        finishTurn()
        return true
    }

    /// Bytes of the connection that the kernel has taken.
    var sent: Int64 { sentCount.load(ordering: .relaxed) }

    /// Why this side has cut the response, once; nil when it has not.
    func takeCutReason() -> CutReason? { cutReason.withLock { $0.take() } }

    private var generation: UInt32 {
        connection._withUnsafeGuaranteedRef { $0.generation.load(ordering: .relaxed) }
    }

    var client: String { connection._withUnsafeGuaranteedRef { $0.remote.host } }

    /// False once the client has reset the connection or was given up.
    var isConnected: Bool {
        let generation = generation
        return !resetMark.isOn(generation) && !cutMark.isOn(generation)
    }

    private func markCut() {
        let generation = generation
        cutMark.mark(generation) { self.generation == generation }
    }

    /// Whether the calling thread runs the handler of this connection's exchange: the clock sees to it
    /// that what such a thread leaves in the buffer is sent.
    var isHandledHere: Bool {
        ShardThread.current?._withUnsafeGuaranteedRef {
            $0.handling.load(ordering: .relaxed)?.toOpaque()
                == Unmanaged.passUnretained(self).toOpaque()
        } ?? false
    }

    // MARK: The backlog

    /// Nothing waits for the client but what the sender has in its hands.
    private var hasNoBacklog: Bool {
        backlog.load(ordering: .acquiring)?._withUnsafeGuaranteedRef { $0.isEmpty } ?? true
    }

    /// Does something with the backlog if there is one.
    private func withBacklog(_ body: (ResponseBacklog) -> Void) {
        backlog.load(ordering: .acquiring)?._withUnsafeGuaranteedRef { body($0) }
    }

    /// The runner or the sender needs one. The runner looks afterwards whether the response was cut.
    private func makeBacklog() -> ResponseBacklog {
        if let made = backlog.load(ordering: .acquiring) { return made.takeUnretainedValue() }
        let new = Unmanaged.passRetained(
            ResponseBacklog(
                shard.host.backlogLimits, writers: shard.waitingWriters,
                complaints: shard.host.complaints))
        let (isMade, other) = backlog.compareExchange(
            expected: nil, desired: new, ordering: .acquiringAndReleasing)
        atomicMemoryFence(ordering: .sequentiallyConsistent)
        if isMade { return new.takeUnretainedValue() }
        new.release()
        return other!.takeUnretainedValue()
    }

    // MARK: Sending by the runner

    override var hasUnsent: Bool { !buffer.isEmpty }

    /// Adds bytes to the buffer; how many lie there now.
    func append(_ fill: (inout [UInt8]) -> Void) -> Int { buffer.append(fill) }

    /// Memory for the buffer, as long as the connection is active. Both ways nothing is in it.
    func lend(_ memory: inout [UInt8]) { buffer.lend(&memory) }

    /// The buffer's bytes take their place in the backlog, and part of a file behind them, which is closed
    /// when it has been sent: heads travel with the beginning of their file. False: the client is gone.
    func append(
        _ scratch: inout [UInt8], then file: consuming Descriptor, offset: Int64, count: Int64
    ) -> Bool {
        buffer.take(into: &scratch)
        defer { scratch.removeAll(keepingCapacity: true) }
        let backlog = makeBacklog()
        guard isConnected, scratch.withUnsafeBytes({ backlog.keep($0, for: self) }) else {
            return false
        }
        return backlog.keep(file, offset: offset, count: count)
    }

    /// Sends the buffer, and bytes behind it from where they are; what the kernel does not take is kept.
    /// `scratch` is the runner's, and empty again afterwards.
    ///
    /// - Parameter tellsConnection: This ends the response: when not all is sent at once, the connection is
    ///   woken when it is, and nobody waits.
    /// - Returns: `.over` when the client is gone.
    func send(
        _ scratch: inout [UInt8], then bytes: UnsafeRawBufferPointer = .init(start: nil, count: 0),
        tellsConnection: Bool = false
    ) -> Progress {
        buffer.take(into: &scratch)
        defer { scratch.removeAll(keepingCapacity: scratch.capacity <= Self.directWrite * 4) }
        if !isConnected { return .over }
        if scratch.isEmpty && bytes.isEmpty { return flush(tellsConnection: tellsConnection) }
        if hasNoBacklog, arrive(.flush) {
            let left = hasNoBacklog ? sendNow(scratch, bytes) : (0, 0)
            finishTurn()
            if !isConnected { return .over }
            if left.0 == scratch.count && left.1 == bytes.count { return .sent }
            return keep(scratch, from: left.0, bytes, from: left.1, tellsConnection)
        }
        return keep(scratch, from: 0, bytes, from: 0, tellsConnection)
    }

    /// Sends what lies in the buffer although its runner does not: it has given the exchange away.
    func flushForOthers(on thread: ShardThread) {
        guard !buffer.isEmpty, arrive(.flush) else { return }
        run(.flush, on: thread)
    }

    /// What the client of a response that was cut still gets: as much as the kernel takes at once.
    func sendLast(_ scratch: inout [UInt8]) {
        buffer.take(into: &scratch)
        if !scratch.isEmpty, hasNoBacklog, arrive(.flush) {
            if sendingStart == sending.count, file == nil, transport.isOpen {
                let result = scratch.withUnsafeBytes { transport.send($0) }
                if case .bytes(let count) = result { countSent(count) }
            }
            finishTurn()
        }
        scratch.removeAll(keepingCapacity: true)
    }

    /// [sender] With an empty backlog: how many bytes of each the kernel has taken.
    private func sendNow(_ first: [UInt8], _ second: UnsafeRawBufferPointer) -> (Int, Int) {
        guard sendingStart == sending.count, file == nil, transport.isOpen else { return (0, 0) }
        let result = first.withUnsafeBytes { first in
            second.isEmpty ? transport.send(first) : transport.send(first, second)
        }
        switch result {
        case .bytes(let count):
            countSent(count)
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
        let backlog = makeBacklog()
        guard isConnected else { return .over }
        let second = UnsafeRawBufferPointer(rebasing: second[offset...])
        let isKept = first.withUnsafeBytes { first in
            let first = UnsafeRawBufferPointer(rebasing: first[start...])
            // Who ends a response may be the thread that reads and sends for all others.
            return tellsConnection
                ? backlog.keepLast(first) && backlog.keepLast(second)
                : backlog.keep(first, for: self) && backlog.keep(second, for: self)
        }
        guard isKept else { return .over }
        return flush(tellsConnection: tellsConnection)
    }

    /// A thread of an extension's own is nobody else's.
    var holdsThread: Bool { ShardThread.current != nil }

    func sendBacklog() { _ = flush(tellsConnection: false) }

    /// Sends the backlog, when nobody else is at it.
    private func flush(tellsConnection tells: Bool) -> Progress {
        if tells { tellsConnection.store(true, ordering: .releasing) }
        guard arrive(.flush) else { return .blocked }
        let progress = pump()
        if progress != .blocked { tellsConnection.store(false, ordering: .relaxed) }
        finishTurn()
        return progress
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
            guard let causes = endTurn() else { return }
            handle(causes)
        }
    }

    private func handle(_ causes: Causes) {
        checkTurn()
        if causes.contains(.close) { return closeNow() }
        guard transport.isOpen else { return }
        if causes.contains(.expired), !checkPace() { breakOff() }
        if !buffer.isEmpty { takeStale() }
        if case .blocked = pump() { return }
        if tellsConnection.exchange(false, ordering: .acquiringAndReleasing) {
            connection._withUnsafeGuaranteedRef { shard.wake($0, .sent) }
        }
    }

    /// What a runner has buffered before it began to think: it is sent all the same.
    ///
    /// The backlog is looked at under the buffer's lock: a runner that keeps bytes there has done so before
    /// it buffers the next ones, so what is buffered behind a backlog is never sent before it.
    private func takeStale() {
        guard sendingStart == sending.count, file == nil else { return }
        sending.removeAll(keepingCapacity: true)
        sendingStart = 0
        buffer.take(into: &sending, unless: { !hasNoBacklog })
        let count = sending.count
        if count > 0 { makeBacklog().adopt(count) }
    }

    /// Sends until nothing is left, the kernel takes no more, or the turn's budget is used up.
    private func pump() -> Progress {
        checkTurn()
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
        let next = pace.wait(limits, undelivered: transport.undelivered, now: .now)
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
            withBacklog { $0.sent(range) }
        }
        if sendingStart > 0 {
            sending.removeAll(keepingCapacity: true)
            sendingStart = 0
        }
        guard let backlog = backlog.load(ordering: .acquiring) else { return false }
        switch backlog._withUnsafeGuaranteedRef({ $0.takeFirst(&sending) }) {
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
                    more: !hasNoBacklog)
            }
            if case .bytes(let count) = result {
                sendingStart += count
                countSent(count)
                withBacklog { $0.sent(count) }
            }
            return result
        }
        let count = Int(min(file!.left, Self.turnBudget))
        let result = transport.sendFile(file!.file, offset: &file!.offset, count: count)
        switch result {
        case .bytes(let count):
            file!.left -= Int64(count)
            countSent(count)
        case .end: stop(for: .file("\(fileName) became shorter while it was sent"))
        case .failed(SystemError.inputOutput):
            stop(for: .file("\(fileName) cannot be read: input/output error"))
        case .wouldBlock, .failed: break
        }
        return result
    }

    /// The client must notice that the response is not whole.
    private func stop(for reason: CutReason) {
        cutReason.withLock { $0 = reason }
        resetsOnClose = true
    }

    private var fileName: String { file.flatMap { Files.path(of: $0.file) } ?? "a file" }

    private func countSent(_ count: Int) {
        pace.sent(Int64(count))
        // Nobody else counts meanwhile.
        sentCount.store(sent + Int64(count), ordering: .relaxed)
    }

    /// A deadline of the sender's has passed, or it was armed too early. False: the client is too slow.
    private func checkPace() -> Bool {
        guard isBlocked.load(ordering: .relaxed) else { return true }
        switch pace.check(limits, undelivered: transport.undelivered, now: .now) {
        case .fine(let next):
            shard.arm(self, at: next)
            return true
        case .wrong(let what):
            stop(for: .client(what))
            return false
        }
    }

    // MARK: The end

    /// The client is gone, or is given up: nothing more is sent.
    private func breakOff() {
        checkTurn()
        markCut()
        drop()
    }

    /// The response ends here. Any thread.
    func cut() {
        markCut()
        // Who makes a backlog just now sees the mark, or this sees the backlog.
        atomicMemoryFence(ordering: .sequentiallyConsistent)
        withBacklog { $0.end() }
    }

    /// The poller says that the client of that generation has reset the connection. Any thread.
    func clientReset(generation: UInt32) {
        resetMark.mark(generation) { self.generation == generation }
        withBacklog { $0.wakeWriter() }
    }

    /// Forgets what is not sent.
    private func drop() {
        withBacklog { $0.drop() }
        if let range = file, range.half == nil { closeDescriptor(range.file) }
        file = nil
        sending = []
        sendingStart = 0
        endWait()
    }

    /// The connection ends: whoever has the sender's turn closes the socket.
    func close(reset: Bool) {
        if reset { cut() }
        guard arrive(.close) else { return withBacklog { $0.wakeWriter() } }
        closeNow()
        finishTurn()
    }

    private func closeNow() {
        guard transport.isOpen else { return }
        if resetsOnClose || !isConnected { transport.resetOnClose() }
        drop()
        var left: [UInt8] = []
        buffer.take(into: &left)
        let closing = transport
        transport = .none
        connection._withUnsafeGuaranteedRef { $0.socketWillClose() }
        closing.close()
        connection._withUnsafeGuaranteedRef { $0.didClose() }
    }
}
