// What a worker writes to its standard output and error, line by line.
// SPDX-License-Identifier: Apache-2.0

import Platform

/// Cuts a worker's output into lines for the error log, and lets through no more than a log can bear.
struct WorkerOutput {
    /// A longer line is cut into pieces of this size.
    static let longestLine = 2048

    private var partial: [UInt8] = []

    /// Calls `line` with each whole line. A number after it: so many lines before it were dropped.
    mutating func append(
        _ bytes: UnsafeBufferPointer<UInt8>, _ limit: inout RateLimit, now: Instant,
        line: (_ bytes: UnsafeBufferPointer<UInt8>, _ dropped: Int) -> Void
    ) {
        for byte in bytes {
            if byte == UInt8(ascii: "\n") {
                flush(&limit, now: now, line: line)
            } else {
                partial.append(byte)
                if partial.count >= Self.longestLine { flush(&limit, now: now, line: line) }
            }
        }
    }

    /// The last line needs no end.
    mutating func flush(
        _ limit: inout RateLimit, now: Instant,
        line: (_ bytes: UnsafeBufferPointer<UInt8>, _ dropped: Int) -> Void
    ) {
        defer { partial.removeAll(keepingCapacity: true) }
        if partial.last == UInt8(ascii: "\r") { partial.removeLast() }
        guard !partial.isEmpty, limit.admits(at: now) else { return }
        let dropped = limit.takeSuppressed()
        partial.withUnsafeBufferPointer { line($0, dropped) }
    }
}
