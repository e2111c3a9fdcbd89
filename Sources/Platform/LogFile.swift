// A file that batches of lines are appended to, without ever waiting for its reader.
// SPDX-License-Identifier: Apache-2.0

import CPlatform
import Glibc
import Synchronization

/// Where a log goes: a file of its own, or standard output, which may be a pipe, a socket or a terminal.
package struct LogFile: ~Copyable, Sendable {
    private let descriptor: Descriptor
    private let kind: FileStatus.Kind
    /// A write would wait for a reader: a pipe or terminal that others have set up for themselves.
    private let isBlocking: Bool

    private var isRegular: Bool { kind == .regular }

    /// Opens a file for appending, created with mode 0640 (`Files.openLog`).
    package init(path: String) throws(SystemError) {
        try self.init(try Files.openLog(path))
        // Where this open file stands tells from now on what was written by it.
        if isRegular { lseek(descriptor.number, 0, SEEK_END) }
    }

    /// Standard output.
    package static func standardOutput() throws(SystemError) -> LogFile {
        try LogFile(sharing: output.load(ordering: .relaxed))
    }

    /// Where standard output was before somebody else got its number.
    private static let output = Atomic<Int32>(STDOUT_FILENO)

    /// Logs go on where standard output leads now, whatever becomes of its number.
    static func keepStandardOutput() throws(SystemError) {
        let number = try retrying("fcntl") { fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3) }
        output.store(number, ordering: .relaxed)
    }

    /// A place that takes nothing: each write fails with EBADF.
    package static func nowhere() throws(SystemError) -> LogFile {
        try LogFile(try Files.open("/", .readOnly))
    }

    /// A file that other processes have open too, under a descriptor of its own.
    ///
    /// What is no plain file is opened once more: being non-blocking belongs to the open file
    /// (man 2 fcntl, F_SETFL), and the others' may stay as it is. A socket cannot be opened, and needs it
    /// not; a pipe of another user may not be.
    package init(sharing file: Int32) throws(SystemError) {
        let kind = try Files.status(file).kind
        if kind == .other,
            let own = try? Files.open(
                "/proc/self/fd/\(file)", [.writeOnly, .nonBlocking, .noControllingTerminal])
        {
            try self.init(own)
        } else {
            let number = try retrying("fcntl") { fcntl(file, F_DUPFD_CLOEXEC, 3) }
            try self.init(Descriptor(owning: number))
        }
    }

    /// A log's file that another process has opened.
    package init(_ descriptor: consuming Descriptor) throws(SystemError) {
        kind = try Files.status(descriptor.number).kind
        isBlocking = kind == .other && cplatform_is_nonblocking(descriptor.number) == 0
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

    /// Waits until the file takes something, or says why not; false when the deadline has passed.
    package func waitForRoom(until deadline: Instant) -> Bool {
        let milliseconds = deadline.pollTimeout()
        guard milliseconds != 0 else { return false }
        return !Socket.wait(descriptor.number, for: .writable, milliseconds: milliseconds).isNothing
    }

    /// Writes what the file takes of a piece now: the number of bytes, `.wouldBlock`, or `.failed` with
    /// errno. A pipe whose reader has stopped takes nothing, though it may be in blocking mode.
    package func write(_ piece: UnsafeRawBufferPointer) -> Socket.Transfer {
        if kind == .socket { return Socket.send(descriptor.number, piece, dontWait: true) }
        // Only a process that writes there between the two calls can still make the second one wait.
        if isBlocking,
            Socket.wait(descriptor.number, for: .writable, milliseconds: 0).isNothing
        {
            return .wouldBlock
        }
        while true {
            let count = Glibc.write(descriptor.number, piece.baseAddress, piece.count)
            if count >= 0 { return .bytes(count) }
            let code = errno
            if code == EINTR { continue }
            return code == EAGAIN ? .wouldBlock : .failed(code)
        }
    }
}
