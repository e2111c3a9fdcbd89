// Lines that a dead host has earned and not written.
// SPDX-License-Identifier: Apache-2.0

import Platform

/// The last lines of one host's access log on their way into its file.
final class LeftLines {
    /// Seconds for which a file that takes nothing is tried again, and one that takes something.
    private static let patience = 5.0
    private static let longestPatience = 30.0

    private let file: LogFile
    private let lines: [UInt8]
    private var written = 0
    private var giveUp: Instant
    private let end: Instant

    init(_ lines: [UInt8], file: consuming LogFile, now: Instant) {
        self.lines = lines
        self.file = file
        giveUp = now.adding(seconds: Self.patience)
        end = now.adding(seconds: Self.longestPatience)
    }

    enum Outcome: Equatable {
        case written
        case later
        /// So many lines are lost.
        case failed(lines: Int)
    }

    /// Writes what the file takes now.
    func write(_ now: Instant) -> Outcome {
        lines.withUnsafeBytes { lines in
            while written < lines.count {
                let piece = file.piece(of: UnsafeRawBufferPointer(rebasing: lines[written...]))
                guard case .bytes(let count) = file.write(piece), count > 0 else {
                    guard now >= giveUp else { return .later }
                    return .failed(lines: lines[written...].count { $0 == UInt8(ascii: "\n") })
                }
                written += count
                giveUp = min(now.adding(seconds: Self.patience), end)
            }
            return .written
        }
    }
}
