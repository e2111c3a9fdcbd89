// What went wrong, for the person who runs the server: one line, one fact.
// SPDX-License-Identifier: Apache-2.0

import Glibc
import Synchronization

/// The error log of this process: a file, or standard error.
///
/// A line reads `2026-01-31T23:59:59.123Z error host/4711 [site main] [handler php] [pid 4712]: text`;
/// what is not known is left out. Text is escaped by `LogText`, a line holds at most 4096 bytes and is
/// one write(2), so lines of several processes do not mix. Any thread may log. A log that cannot be
/// written hurts nobody: its lines are counted and the first line that succeeds again says how many
/// were lost. The log may be a pipe, so the process has to ignore SIGPIPE.
package final class ErrorLog: Sendable {
    package static let shared = ErrorLog()

    /// The most bytes of one line: a pipe takes them whole or not at all (man 7 pipe, PIPE_BUF).
    package static let longestLine = 4096

    private struct Place: Sendable {
        var path: String?
        var process = "mortise"
        /// The descriptor of the log's own file; kept for life, other files are moved onto it.
        var file: Int32?
    }

    /// Standard error, which other processes may have too; nil when this one has none.
    private let standardError = try? LogFile(sharing: STDERR_FILENO)
    private let place = Mutex(Place())
    private let descriptor = Atomic<Int32>(STDERR_FILENO)
    private let lost = Atomic<Int>(0)
    private let isSilent = Atomic<Bool>(false)
    private let isRelayed = Atomic<Bool>(false)
    /// A failed write left part of a line.
    private let endsInFragment = Atomic<Bool>(false)

    package init() {}

    deinit {
        place.withLock { if let file = $0.file { _ = Glibc.close(file) } }
    }

    /// Lines that could not be written and of which no line tells yet.
    package var lostLines: Int { lost.load(ordering: .relaxed) }

    /// Writes to that file from now on, created when missing, mode 0640; nil = standard error.
    ///
    /// False when the file cannot be opened: the log stays where it was until `reopen` succeeds, and says so
    /// there.
    @discardableResult
    package func open(path: String?, process: String = "mortise") -> Bool {
        let failure = place.withLock { place -> SystemError? in
            place.process = process
            guard let path else {
                place.path = nil
                descriptor.store(STDERR_FILENO, ordering: .releasing)
                return nil
            }
            // Also when it cannot be opened now: SIGUSR1 tries again.
            place.path = path
            return turn(&place, to: path)
        }
        guard let failure, let path else { return true }
        log(.error, "error log \(path) cannot be opened: \(failure)")
        return false
    }

    /// Opens the same file anew, after it was renamed (SIGUSR1). When that fails, the old file goes on.
    package func reopen() {
        let failure = place.withLock { place -> (String, SystemError)? in
            guard let path = place.path else { return nil }
            return turn(&place, to: path).map { (path, $0) }
        }
        if let (path, error) = failure {
            log(.error, "error log \(path) cannot be opened anew: \(error)")
        }
    }

    /// Another process reads the lines and adds the time: a line is its level and its text, "<3>text".
    package func beRelayed() { isRelayed.store(true, ordering: .relaxed) }

    /// Leaves out what is logged until it is told otherwise: another process has said the same before.
    package func beSilent(_ isSilent: Bool) { self.isSilent.store(isSilent, ordering: .relaxed) }

    /// Logs one fact. `pid` is the process the fact is about when it is not this one.
    package func log(
        _ level: LogLevel, _ text: String, site: String? = nil, handler: String? = nil,
        pid: Int32? = nil
    ) {
        var text = text
        text.withUTF8 { log(level, bytes: $0, site: site, handler: handler, pid: pid) }
    }

    /// Logs one fact, on standard error too when the log is a file: to somebody who waits for a start there.
    package func logAloud(_ level: LogLevel, _ text: String) {
        log(level, text)
        let (isFile, process) = place.withLock { ($0.path != nil && $0.file != nil, $0.process) }
        guard isFile else { return }
        let terminal = ErrorLog()
        terminal.open(path: nil, process: process)
        terminal.log(level, text)
    }

    /// Logs bytes of any origin, such as a line of a worker's or a script's standard error, as one fact.
    package func log(
        _ level: LogLevel, bytes: UnsafeBufferPointer<UInt8>, site: String? = nil,
        handler: String? = nil, pid: Int32? = nil, script: String? = nil
    ) {
        guard !isSilent.load(ordering: .relaxed) else { return }
        if isRelayed.load(ordering: .relaxed) { return relay(level, bytes) }
        let process = place.withLock { $0.process }
        let missed = lost.exchange(0, ordering: .relaxed)
        if missed > 0 {
            let text = "\(missed) lines of this log were lost: it could not be written"
            var line = Self.start(.warning, process: process)
            line.append(contentsOf: text.utf8)
            guard write(&line) else {
                lost.add(missed + 1, ordering: .relaxed)
                return
            }
        }
        var line = Self.start(
            level, process: process, site: site, handler: handler, pid: pid, script: script)
        if !LogText.append(bytes, to: &line, limit: Self.longestLine - 4) {
            line.append(contentsOf: "...".utf8)
        }
        if !write(&line) { lost.add(1, ordering: .relaxed) }
    }

    private func relay(_ level: LogLevel, _ bytes: UnsafeBufferPointer<UInt8>) {
        var line: [UInt8] = []
        level.prefix.withUTF8Buffer { line.append(contentsOf: $0) }
        _ = LogText.append(bytes, to: &line, limit: Self.longestLine - 4)
        _ = write(&line)
    }

    /// The line up to its text.
    private static func start(
        _ level: LogLevel, process: String, site: String? = nil, handler: String? = nil,
        pid: Int32? = nil, script: String? = nil
    ) -> [UInt8] {
        var line: [UInt8] = []
        line.reserveCapacity(512)
        WallClock.appendTimestamp(to: &line)
        let name =
            switch level {
            case .error: " error "
            case .warning: " warning "
            case .notice: " notice "
            }
        line.append(contentsOf: name.utf8)
        appendName(process, to: &line)
        line.append(UInt8(ascii: "/"))
        appendDecimal(UInt64(clamping: getpid()), to: &line)
        if let site { appendLabel("site", site, to: &line) }
        if let handler { appendLabel("handler", handler, to: &line) }
        if let pid { appendLabel("pid", "\(pid)", to: &line) }
        if let script { appendLabel("script", script, to: &line) }
        line.append(contentsOf: ": ".utf8)
        return line
    }

    private static func appendLabel(_ label: StaticString, _ value: String, to line: inout [UInt8])
    {
        line.append(contentsOf: " [".utf8)
        label.withUTF8Buffer { line.append(contentsOf: $0) }
        line.append(UInt8(ascii: " "))
        appendName(value, to: &line)
        line.append(UInt8(ascii: "]"))
    }

    private static func appendName(_ name: String, to line: inout [UInt8]) {
        var name = name
        name.withUTF8 { _ = LogText.append($0, to: &line, limit: line.count + 256) }
    }

    /// One write(2) that never waits: a full pipe or disk is a lost line.
    private func write(_ line: inout [UInt8]) -> Bool {
        line.append(UInt8(ascii: "\n"))
        if endsInFragment.exchange(false, ordering: .relaxed) {
            line.insert(UInt8(ascii: "\n"), at: 0)
        }
        let written = line.withUnsafeBytes(write)
        if written > 0 && written < line.count { endsInFragment.store(true, ordering: .relaxed) }
        return written == line.count
    }

    /// How many bytes were taken.
    private func write(_ line: UnsafeRawBufferPointer) -> Int {
        let number = descriptor.load(ordering: .acquiring)
        guard number == STDERR_FILENO else {
            // A log of its own was opened to wait for nobody.
            return (try? retrying("write") { Glibc.write(number, line.baseAddress, line.count) })
                ?? 0
        }
        guard case .bytes(let count)? = standardError?.write(line) else { return 0 }
        return count
    }

    /// Opens the file and puts it where writers without a lock find it.
    private func turn(_ place: inout Place, to path: String) -> SystemError? {
        do throws(SystemError) {
            let opened = try Files.openLog(path)
            if let file = place.file {
                // dup3 replaces the file under the number in one step: a writer meets either of them.
                try opened.replace(file)
            } else {
                place.file = opened.take()
            }
        } catch {
            return error
        }
        descriptor.store(place.file!, ordering: .releasing)
        return nil
    }
}
