// A file that batches of lines are appended to, without ever waiting for it.
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
    }

    /// Standard output, under a descriptor of its own.
    package static func standardOutput() throws(SystemError) -> LogFile {
        let number = try retrying("fcntl") { fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3) }
        return try LogFile(Descriptor(owning: number))
    }

    private init(_ descriptor: consuming Descriptor) throws(SystemError) {
        isRegular = try Files.status(descriptor.number).kind == .regular
        self.descriptor = descriptor
    }

    /// Writes what the file takes now: the number of bytes, `.wouldBlock`, or `.failed` with errno.
    ///
    /// A pipe whose reader has stopped takes nothing. Into one that reads, pieces of whole lines go
    /// that it takes at once and unmixed (man 7 pipe, PIPE_BUF), though it may be in blocking mode.
    package func write(_ bytes: UnsafeRawBufferPointer) -> Socket.Transfer {
        if isRegular { return writeOnce(bytes) }
        var done = 0
        while done < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[done...])
            guard Socket.wait(descriptor.number, for: .writable, milliseconds: 0) == .writable
            else {
                break
            }
            guard case .bytes(let count) = writeOnce(Self.piece(of: rest)), count > 0 else { break }
            done += count
        }
        return done > 0 || bytes.isEmpty ? .bytes(done) : .wouldBlock
    }

    private static func piece(of bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        guard bytes.count > 4096 else { return bytes }
        let piece = UnsafeRawBufferPointer(rebasing: bytes[..<4096])
        guard let end = piece.lastIndex(of: UInt8(ascii: "\n")) else { return piece }
        return UnsafeRawBufferPointer(rebasing: piece[...end])
    }

    private func writeOnce(_ bytes: UnsafeRawBufferPointer) -> Socket.Transfer {
        while true {
            let count = Glibc.write(descriptor.number, bytes.baseAddress, bytes.count)
            if count >= 0 { return .bytes(count) }
            let code = errno
            if code == EINTR { continue }
            return code == EAGAIN ? .wouldBlock : .failed(code)
        }
    }
}
