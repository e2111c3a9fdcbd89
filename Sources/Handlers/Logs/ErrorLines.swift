// The standard error of a worker or a script, on its way into the error log.
// SPDX-License-Identifier: Apache-2.0

import Exchange
import Platform

/// Cuts a stream into lines and lets so many of them into the log; memory stays bounded whatever comes.
struct ErrorLines: Sendable {
    /// Bytes of a line; the rest of a longer one is counted and dropped.
    static let longestLine = 1024

    private var line: [UInt8] = []
    private var dropped = 0

    /// Adds a piece of the stream and logs each line it completes.
    mutating func append(
        _ bytes: Span<UInt8>, _ limit: LineLimit, at now: Instant,
        _ log: (UnsafeBufferPointer<UInt8>) -> Void
    ) {
        var start = 0
        while start < bytes.count {
            var end = start
            while end < bytes.count, bytes[end] != 0x0a { end += 1 }
            let kept = min(end, start + Self.longestLine - line.count)
            line.append(bytes.extracting(start..<kept))
            dropped = min(dropped + end - kept, Int.max / 2)
            if end < bytes.count { finish(limit, at: now, log) }
            start = end + 1
        }
    }

    /// Logs what has come of the last line.
    mutating func finish(
        _ limit: LineLimit, at now: Instant, _ log: (UnsafeBufferPointer<UInt8>) -> Void
    ) {
        guard !line.isEmpty else { return }
        defer {
            line.removeAll(keepingCapacity: true)
            dropped = 0
        }
        while let last = line.last, last == 0x0d || last == 0x20 { line.removeLast() }
        guard !line.isEmpty, let omitted = limit.admit(at: now) else { return }
        if dropped > 0 { line.append(contentsOf: " [and \(dropped) bytes more]".utf8) }
        if omitted > 0 {
            line.append(contentsOf: " [after \(omitted) lines that were not logged]".utf8)
        }
        line.withUnsafeBufferPointer { log($0) }
    }
}

extension Exchange {
    /// Logs lines of a standard error as what they are: `speaker` has written them.
    func logErrors(
        _ lines: inout ErrorLines, of speaker: @autoclosure () -> ErrorSpeaker,
        _ bytes: Span<UInt8>, _ limit: LineLimit, at now: Instant
    ) {
        lines.append(bytes, limit, at: now) { logError($0, of: speaker()) }
    }

    func logRest(
        _ lines: inout ErrorLines, of speaker: @autoclosure () -> ErrorSpeaker,
        _ limit: LineLimit, at now: Instant
    ) {
        lines.finish(limit, at: now) { logError($0, of: speaker()) }
    }

    private func logError(_ line: UnsafeBufferPointer<UInt8>, of speaker: ErrorSpeaker) {
        let (site, handler) = (route.site?.name, route.handlerName)
        switch speaker {
        case .worker(let pid):
            errorLog.log(.error, bytes: line, site: site, handler: handler, pid: pid)
        case .script(let path):
            errorLog.log(
                .error, bytes: line, site: site, handler: handler,
                script: String(decoding: path, as: UTF8.self))
        }
    }
}
