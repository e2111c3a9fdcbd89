// Every response as a line in a file, at the price of a lock and no system call.
// SPDX-License-Identifier: Apache-2.0

import Synchronization

package import Exchange
package import Platform

/// The access log of a host process.
///
/// Lines gather in memory and are written in batches: by the thread whose line fills a batch, and by
/// `flush`, which somebody calls every second. There are a few buffers, and a thread takes one that
/// nobody holds; under load, lines of the same second may change places. Nobody waits for another
/// thread's write. When the file takes nothing, up to a mebibyte is kept, further lines are counted
/// and lost, and the error log says so once at the beginning and once at the end.
package final class AccessLog: Sendable {
    /// Bytes that are worth a system call.
    private static let batch = 64 * 1024
    /// The most bytes of a buffer.
    private static let mostBuffered = 256 * 1024

    private final class Buffer: Sendable {
        let bytes = Mutex<[UInt8]>([])
    }

    private struct Writer: ~Copyable {
        var file: LogFile
        /// What is being written; empty while the file takes all.
        var batch: [UInt8] = []
        var written = 0
    }

    private let path: String
    private let errors: ErrorLog
    private let buffers = [Buffer(), Buffer(), Buffer(), Buffer()]
    private let writer: Mutex<Writer>
    private let lost = Atomic<Int>(0)
    /// The file took nothing: only `flush` tries again.
    private let isStalled = Atomic<Bool>(false)

    /// Opens the log: a file, or standard output for "-".
    package init(path: String, errors: ErrorLog = .shared) throws(SystemError) {
        self.path = path
        self.errors = errors
        writer = Mutex(Writer(file: try Self.open(path)))
        for buffer in buffers {
            buffer.bytes.withLock { $0.reserveCapacity(Self.batch + 16 * 1024) }
        }
    }

    private static func open(_ path: String) throws(SystemError) -> LogFile {
        if path == "-" { return try .standardOutput() }
        return try LogFile(path: path)
    }

    /// Lines lost since the file last took one.
    package var lostLines: Int { lost.load(ordering: .relaxed) }

    /// Adds the line of an exchange whose response has ended.
    ///
    /// `refused` is what was received of a request that could not be parsed, else empty.
    package func append(_ exchange: Exchange, refused: Span<UInt8> = Span()) {
        let note = exchange.logNote
        append(
            exchange.request, refused: refused, remote: exchange.remote,
            status: exchange.loggedStatus > 0 ? exchange.loggedStatus : exchange.status,
            bytes: exchange.framing.passed, note: note.span)
    }

    /// Adds a line. `note` joins the query (HSE_APPEND_LOG_PARAMETER).
    package func append(
        _ request: Request, refused: Span<UInt8>, remote: SocketAddress, status: Int, bytes: Int64,
        note: Span<UInt8>
    ) {
        let time = CoarseClock.wallSeconds
        var hasWaited = false
        while true {
            let size = withFreeBuffer { buffer in
                guard buffer.count < Self.mostBuffered else { return -1 }
                AccessLogLine.append(
                    request, refused: refused, status: status, bytes: bytes, note: note, time: time,
                    to: &buffer
                ) { remote.appendHost(to: &$0) }
                return buffer.count
            }
            let isStalled = isStalled.load(ordering: .relaxed)
            if size < 0 && !isStalled && !hasWaited {
                // Lines come faster than the file takes them: better to wait for it than to lose one.
                hasWaited = true
                tell(writer.withLock { drain(&$0) })
                continue
            }
            if size < 0 { lost.add(1, ordering: .relaxed) }
            if size >= Self.batch && !isStalled { flush() }
            return
        }
    }

    /// Writes what has gathered. Called ten times a second, and before the process ends.
    package func flush() {
        // Whoever holds the writer writes; lines that came after are written the next time.
        tell(writer.withLockIfAvailable { drain(&$0) })
    }

    /// Writes what has gathered and opens the same file anew, after it was renamed (SIGUSR1).
    package func reopen() {
        guard path != "-" else { return flush() }
        let (event, failure) = writer.withLock { writer -> (Event, SystemError?) in
            let event = drain(&writer)
            do throws(SystemError) {
                writer.file = try Self.open(path)
                return (event, nil)
            } catch {
                return (event, error)
            }
        }
        tell(event)
        if let failure {
            errors.log(
                .error, "access log \(path) cannot be opened anew, goes on as before: \(failure)")
        }
    }

    private enum Event: Sendable {
        case written
        case stalled(Socket.Transfer)
        case recovered(lost: Int)
    }

    /// Writes one buffer after the other until the file takes no more.
    private func drain(_ writer: inout Writer) -> Event {
        var next = 0
        while true {
            if let reason = writeBatch(&writer) {
                return isStalled.exchange(true, ordering: .relaxed) ? .written : .stalled(reason)
            }
            while next < buffers.count && writer.batch.isEmpty {
                buffers[next].bytes.withLock { swap(&$0, &writer.batch) }
                next += 1
            }
            if writer.batch.isEmpty { break }
        }
        guard isStalled.exchange(false, ordering: .relaxed) else { return .written }
        return .recovered(lost: lost.exchange(0, ordering: .relaxed))
    }

    /// Writes the rest of the batch; why not all of it, or nil.
    private func writeBatch(_ writer: inout Writer) -> Socket.Transfer? {
        while writer.written < writer.batch.count {
            let result = writer.batch.withUnsafeBytes {
                writer.file.write(UnsafeRawBufferPointer(rebasing: $0[writer.written...]))
            }
            guard case .bytes(let count) = result, count > 0 else { return result }
            writer.written += count
        }
        writer.batch.removeAll(keepingCapacity: true)
        writer.written = 0
        return nil
    }

    private func tell(_ event: Event?) {
        switch event {
        case .stalled(.failed(let code)):
            let error = SystemError("write", code: code)
            errors.log(.error, "access log \(path) cannot be written: \(error)")
        case .stalled:
            errors.log(.error, "access log \(path) takes no more: its reader has stopped")
        case .recovered(let lost):
            errors.log(.warning, "access log \(path) is written again; \(lost) lines were lost")
        case .written, nil: break
        }
    }

    /// Runs `body` on a buffer that no other thread holds, or waits for the last of them.
    private func withFreeBuffer(_ body: (inout [UInt8]) -> Int) -> Int {
        for buffer in buffers.dropLast() {
            if let size = buffer.bytes.withLockIfAvailable({ body(&$0) }) { return size }
        }
        return buffers[buffers.count - 1].bytes.withLock { body(&$0) }
    }
}
