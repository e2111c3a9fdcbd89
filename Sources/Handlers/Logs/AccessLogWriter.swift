// The access log's file, and what it has taken.
// SPDX-License-Identifier: Apache-2.0

import Control
import Platform

/// Writes rings of lines to the file, and says when that cannot be done. One thread at a time has it.
struct AccessLogWriter: ~Copyable, Sendable {
    private let path: String
    private let errors: ErrorLog
    private let announce: @Sendable (Int32) -> Void
    private var file: LogFile
    /// The file took nothing in the last attempt.
    private(set) var isStalled = false
    /// The error log says that the file takes nothing, and not yet that it takes lines again.
    private var isToldOf = false

    init(
        path: String, errors: ErrorLog, announce: @escaping @Sendable (Int32) -> Void
    ) throws(SystemError) {
        self.path = path
        self.errors = errors
        self.announce = announce
        file = try Self.open(path)
        announce(file.number)
    }

    private static func open(_ path: String) throws(SystemError) -> LogFile {
        if path == "-" { return try .standardOutput() }
        return try LogFile(path: path)
    }

    /// Writes what waits in the rings, until the file takes no more; `didWrite` after each piece.
    mutating func write(_ rings: [SharedRing], didWrite: () -> Void) {
        isStalled = false
        for ring in rings where !isStalled { write(ring, didWrite: didWrite) }
    }

    private mutating func write(_ ring: SharedRing, didWrite: () -> Void) {
        while true {
            let piece = file.piece(of: ring.waiting)
            if piece.isEmpty { return }
            ring.willWrite(piece.count, fileEnd: file.end)
            let result = file.write(piece)
            guard case .bytes(let count) = result, count > 0 else {
                ring.wrote(0)
                return stall(result)
            }
            ring.wrote(count)
            didWrite()
        }
    }

    private mutating func stall(_ reason: Socket.Transfer) {
        isStalled = true
        guard !isToldOf else { return }
        isToldOf = true
        if case .failed(let code) = reason {
            let error = SystemError("write", code: code)
            errors.log(.error, "access log \(path) cannot be written: \(error)")
        } else {
            errors.log(.error, "access log \(path) takes no more: its reader has stopped")
        }
    }

    /// All that had gathered is written, after lines were lost or could have been.
    mutating func tellLost(_ lost: Int) {
        if isToldOf {
            errors.log(.warning, "access log \(path) is written again; \(lost) lines were lost")
        } else if lost > 0 {
            errors.log(
                .warning,
                "access log \(path) took lines more slowly than they came; \(lost) lines were lost")
        }
        isToldOf = false
    }

    /// Opens the same file anew; when that fails, the old one goes on.
    mutating func reopen() {
        guard path != "-" else { return }
        do throws(SystemError) {
            file = try Self.open(path)
            announce(file.number)
        } catch {
            errors.log(
                .error, "access log \(path) cannot be opened anew, goes on as before: \(error)")
        }
    }
}
