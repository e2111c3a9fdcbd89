// The standard error of a worker or a script, on its way into the error log.
// SPDX-License-Identifier: Apache-2.0

import Exchange
import Platform

/// Cuts a stream into lines and lets so many of them into the log; memory stays bounded whatever comes.
struct ErrorLines: Sendable {
    /// Bytes of a line; the rest of a longer one is dropped.
    static let longestLine = 1024

    private var line: [UInt8] = []
    private var limit = RateLimit(burst: 100, perSecond: 10)

    /// Takes a piece of the stream and logs each line it completes.
    mutating func take(
        _ bytes: Span<UInt8>, at now: Instant, _ log: (UnsafeBufferPointer<UInt8>) -> Void
    ) {
        var start = 0
        while start < bytes.count {
            var end = start
            while end < bytes.count, bytes[end] != 0x0a { end += 1 }
            let room = Self.longestLine - line.count
            line.append(bytes.extracting(start..<min(end, start + room)))
            if end < bytes.count { finish(at: now, log) }
            start = end + 1
        }
    }

    /// Logs what has come of the last line.
    mutating func finish(at now: Instant, _ log: (UnsafeBufferPointer<UInt8>) -> Void) {
        defer { line.removeAll(keepingCapacity: true) }
        while let last = line.last, last == 0x0d || last == 0x20 { line.removeLast() }
        guard !line.isEmpty, limit.admits(at: now) else { return }
        let untold = limit.takeSuppressed()
        if untold > 0 {
            var note = "\(untold) lines of its standard error were not logged"
            note.withUTF8 { log($0) }
        }
        line.withUnsafeBufferPointer { log($0) }
    }
}

extension Exchange {
    /// Logs lines of a process's standard error as what they are.
    func logErrors(
        _ lines: inout ErrorLines, of pid: Int32?, _ bytes: Span<UInt8>, at now: Instant
    ) {
        lines.take(bytes, at: now) { logError($0, of: pid) }
    }

    func logRest(_ lines: inout ErrorLines, of pid: Int32?, at now: Instant) {
        lines.finish(at: now) { logError($0, of: pid) }
    }

    private func logError(_ line: UnsafeBufferPointer<UInt8>, of pid: Int32?) {
        errorLog.log(
            .error, bytes: line, site: route.site?.name, handler: route.handlerName, pid: pid)
    }
}
