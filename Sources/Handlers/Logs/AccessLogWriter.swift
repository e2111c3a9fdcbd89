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
    /// It could not be opened yet; `file` takes nothing until then.
    private var isMissing = false
    /// The file took nothing in the last attempt, for as long as it was waited for.
    private(set) var isStalled = false
    /// The error log says that the file takes nothing, and not yet that it takes lines again.
    private var isToldOf = false

    /// - Parameter mayBeMissing: a file that cannot be opened is one that takes nothing, until it can.
    init(
        path: String, errors: ErrorLog, mayBeMissing: Bool,
        announce: @escaping @Sendable (Int32) -> Void
    ) throws(SystemError) {
        self.path = path
        self.errors = errors
        self.announce = announce
        do throws(SystemError) {
            file = try Self.open(path)
            announce(file.number)
        } catch {
            guard mayBeMissing else { throw error }
            file = try LogFile.nowhere()
            isMissing = true
            isToldOf = true
            errors.log(
                .error,
                "access log \(path) cannot be opened: \(error); requests are served all the same, and it"
                    + " is tried again")
        }
    }

    private static func open(_ path: String) throws(SystemError) -> LogFile {
        if path == "-" { return try .standardOutput() }
        return try LogFile(path: path)
    }

    /// Writes what waits in the rings, until the file has taken nothing for `patience` seconds; `didWrite`
    /// after each piece.
    mutating func write(_ rings: [SharedRing], patience: Double, didWrite: () -> Void) {
        if isMissing { find() }
        isStalled = false
        for ring in rings where !isStalled { write(ring, patience, didWrite) }
    }

    /// Only what waits already: a ring that is filled as fast as it is emptied must not keep the others back.
    private mutating func write(_ ring: SharedRing, _ patience: Double, _ didWrite: () -> Void) {
        var left = ring.waiting.count
        while left > 0 {
            let piece = file.piece(of: UnsafeRawBufferPointer(rebasing: ring.waiting[..<left]))
            let result = write(piece, of: ring, patience)
            guard case .bytes(let count) = result, count > 0 else { return stall(result) }
            left -= count
            didWrite()
        }
    }

    /// A pipe is full as soon as its reader has not run for a moment, which is no reason to lose a line.
    private func write(
        _ piece: UnsafeRawBufferPointer, of ring: SharedRing, _ patience: Double
    ) -> Socket.Transfer {
        var deadline: Instant?
        while true {
            ring.willWrite(piece.count, fileEnd: file.end)
            let result = file.write(piece)
            if case .bytes(let count) = result { ring.wrote(count) } else { ring.wrote(0) }
            guard result == .wouldBlock else { return result }
            let end = deadline ?? Instant.now.adding(seconds: patience)
            deadline = end
            guard file.waitForRoom(until: end) else { return result }
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
            errors.log(
                .error,
                "access log \(path) takes no more: its reader has stopped, or reads too slowly")
        }
    }

    private mutating func find() {
        guard let found = try? Self.open(path) else { return }
        file = found
        isMissing = false
        announce(file.number)
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
            isMissing = false
            announce(file.number)
        } catch {
            errors.log(
                .error, "access log \(path) cannot be opened anew, goes on as before: \(error)")
        }
    }
}
