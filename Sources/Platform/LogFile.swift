// A file that batches of lines are appended to, without ever waiting for its reader.
// SPDX-License-Identifier: Apache-2.0

import CPlatform
import Glibc

/// Where a log goes: a file of its own, or standard output, which may be a pipe, a socket or a terminal.
package struct LogFile: ~Copyable, Sendable {
    private let descriptor: Descriptor
    private let isRegular: Bool

    /// Opens a file for appending, created with mode 0640 (`Files.openLog`).
    package init(path: String) throws(SystemError) {
        try self.init(try Files.openLog(path))
        // Where this open file stands tells from now on what was written by it.
        if isRegular { lseek(descriptor.number, 0, SEEK_END) }
    }

    /// Standard output, under a descriptor of its own.
    package static func standardOutput() throws(SystemError) -> LogFile {
        let number = try retrying("fcntl") { fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3) }
        return try LogFile(Descriptor(owning: number))
    }

    /// A log's file that another process has opened.
    package init(_ descriptor: consuming Descriptor) throws(SystemError) {
        isRegular = try Files.status(descriptor.number).kind == .regular
        self.descriptor = descriptor
    }

    /// For a process that shall have the same open file.
    package var number: Int32 { descriptor.number }

    /// Where the last write by this open file ended, in whatever process; nil for what has no such place.
    package var end: Int64? {
        guard isRegular else { return nil }
        let end = lseek(descriptor.number, 0, SEEK_CUR)
        return end < 0 ? nil : Int64(end)
    }

    /// How many of so many bytes one `write` takes: of a pipe's, pieces of whole lines that it takes at
    /// once and unmixed (man 7 pipe, PIPE_BUF).
    package func piece(of bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        guard !isRegular, bytes.count > 4096 else { return bytes }
        let piece = UnsafeRawBufferPointer(rebasing: bytes[..<4096])
        guard let end = piece.lastIndex(of: UInt8(ascii: "\n")) else { return piece }
        return UnsafeRawBufferPointer(rebasing: piece[...end])
    }

    /// Writes what the file takes of a piece now: the number of bytes, `.wouldBlock`, or `.failed` with
    /// errno. A pipe whose reader has stopped takes nothing, though it may be in blocking mode.
    package func write(_ piece: UnsafeRawBufferPointer) -> Socket.Transfer {
        guard
            isRegular
                || Socket.wait(descriptor.number, for: .writable, milliseconds: 0) == .writable
        else { return .wouldBlock }
        while true {
            let count = Glibc.write(descriptor.number, piece.baseAddress, piece.count)
            if count >= 0 { return .bytes(count) }
            let code = errno
            if code == EINTR { continue }
            return code == EAGAIN ? .wouldBlock : .failed(code)
        }
    }
}
