// Every response as a line in a file, at the price of a lock and no system call.
// SPDX-License-Identifier: Apache-2.0

package import Control
package import Exchange
package import Platform
import Synchronization

/// The access log of a host process.
///
/// Lines gather in memory that the supervisor made (`GatheredLines`): what this process has not written when
/// it dies, the supervisor writes. There are a few rings, and a thread takes one that nobody holds; under
/// load, lines of the same second may change places. A thread of its own writes them in batches, so that no
/// request waits for a disk.
///
/// When the rings are full, a mebibyte in all, because the file takes lines more slowly than they come, a
/// request's thread waits for up to a tenth of a second, once; after that, and when the file has taken
/// nothing for as long, lines are counted and lost until what has gathered is written, and the error log
/// says so: this process's, or the supervisor's when this one ends before.
package final class AccessLog: Sendable {
    /// Bytes that are worth a system call.
    private static let batch = 64 * 1024
    /// Seconds after which less than a batch is written.
    private static let interval = 0.1

    private final class Lane: Sendable {
        let ring: SharedRing
        /// Who holds it adds to the ring.
        let time = Mutex(AccessLogLine.Time())
        init(_ ring: SharedRing) { self.ring = ring }
    }

    private let lines: GatheredLines
    /// Seconds for which a line may wait for room, and this log for a file that takes nothing.
    private let patience: Double
    private let lanes: [Lane]
    /// The same, as threads take them: without counting references to what all of them share.
    private let borrowed: [Unmanaged<Lane>]
    /// Nobody waits for this lock: who finds it taken leaves the writing to whoever writes.
    private let writer: Mutex<AccessLogWriter>
    /// No line waits for room: the file takes nothing, or has taken nothing for as long as a line waits.
    private let isFull = Atomic<Bool>(false)
    private let reopens = Atomic<Bool>(false)
    /// A batch has gathered.
    private let work = Gate()
    /// Something was written.
    private let room = Gate()

    /// Opens the log: a file, or standard output for "-".
    ///
    /// - Parameters:
    ///   - patience: Seconds for which a line may wait for room, and the log for a file that takes nothing.
    ///   - announce: is told each file before a line goes there, so that the supervisor can write to it.
    package init(
        path: String, lines: GatheredLines, errors: ErrorLog = .shared, patience: Double = 0.1,
        mayBeMissing: Bool = false, announce: @escaping @Sendable (Int32) -> Void = { _ in }
    ) throws(SystemError) {
        self.lines = lines
        self.patience = patience
        lanes = lines.rings.map(Lane.init)
        borrowed = lanes.map(Unmanaged.passUnretained)
        writer = Mutex(
            try AccessLogWriter(
                path: path, errors: errors, mayBeMissing: mayBeMissing, announce: announce))
    }

    /// Starts the thread that writes.
    package func start() throws(SystemError) {
        try Thread.start(named: "mortise log") { [self] in
            while true {
                let ticket = work.ticket
                flush()
                _ = work.wait(after: ticket, until: Instant.now.adding(seconds: Self.interval))
            }
        }
    }

    /// Lines lost of which the error log does not tell yet.
    package var lostLines: Int { lines.lost }

    // MARK: Adding

    /// Adds the line of an exchange whose response has ended.
    ///
    /// `refused` is what was received of a request that could not be parsed, else empty; `sent` is how much
    /// of the body was sent at most.
    package func append(_ exchange: Exchange, refused: Span<UInt8>, sent: Int64) {
        let note = exchange.logNote
        append(
            exchange.request, refused: refused, remote: exchange.remote,
            status: exchange.loggedStatus > 0 ? exchange.loggedStatus : exchange.status,
            bytes: min(exchange.framing.passed, sent), note: note.span)
    }

    /// Adds a line. `note` joins the query (HSE_APPEND_LOG_PARAMETER).
    package func append(
        _ request: Request, refused: Span<UInt8>, remote: SocketAddress, status: Int, bytes: Int64,
        note: Span<UInt8>
    ) {
        let seconds = CoarseClock.wallSeconds
        var deadline: Instant?
        while true {
            let ticket = room.ticket
            let waiting = addToFreeLane { lane, time in
                time.update(seconds)
                return lane.ring.append(upTo: AccessLogLine.longestLine) { line in
                    AccessLogLine.append(
                        request, refused: refused, status: status, bytes: bytes, note: note,
                        time: time, to: &line
                    ) { remote.appendHost(to: &$0) }
                }
            }
            if let waiting {
                // As long as the file takes nothing, only time brings another attempt.
                if waiting >= Self.batch, !isFull.load(ordering: .relaxed) { work.wake() }
                return
            }
            guard !isFull.load(ordering: .relaxed) else { break }
            work.wake()
            let end = deadline ?? Instant.now.adding(seconds: patience)
            deadline = end
            if !room.wait(after: ticket, until: end) { isFull.store(true, ordering: .relaxed) }
        }
        lines.countLost()
    }

    /// Runs `body` with a lane that no other thread holds and that has room; waits for the last one alone,
    /// which is held for the time of a line.
    private func addToFreeLane(_ body: (Lane, inout AccessLogLine.Time) -> Int?) -> Int? {
        var next = 0
        while next < borrowed.count {
            let waiting = borrowed[next]._withUnsafeGuaranteedRef { lane -> Int? in
                if next == borrowed.count - 1 { return lane.time.withLock { body(lane, &$0) } }
                return lane.time.withLockIfAvailable { body(lane, &$0) } ?? nil
            }
            if let waiting { return waiting }
            next += 1
        }
        return nil
    }

    // MARK: Writing

    /// Writes what has gathered; false when another thread is at it.
    @discardableResult
    package func flush() -> Bool {
        let isDone = writer.withLockIfAvailable { writer -> Bool in
            let reopens = reopens.exchange(false, ordering: .relaxed)
            writer.write(lines.rings, patience: patience) { room.wake() }
            isFull.store(writer.isStalled, ordering: .relaxed)
            // A line may have been lost after the last time, when room was already there again.
            if !writer.isStalled { writer.tellLost(lines.takeLost()) }
            if reopens { writer.reopen() }
            return true
        }
        return isDone ?? false
    }

    /// Writes what has gathered before the process ends; gives whoever is at it a second to be through.
    package func finish() {
        let deadline = Instant.now.adding(seconds: 1)
        while !flush(), Instant.now < deadline { Thread.sleep(milliseconds: 1) }
    }

    /// What has gathered is written, and the same file opened anew, after it was renamed (SIGUSR1): soon, by
    /// the thread that writes.
    package func reopen() {
        reopens.store(true, ordering: .relaxed)
        work.wake()
    }
}
