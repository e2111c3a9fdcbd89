// An open file descriptor with one owner.
// SPDX-License-Identifier: Apache-2.0

import CPlatform
import Glibc

/// An open file descriptor that is closed when its owner goes away (man 2 close).
///
/// Passing it on is `consuming`; `take()` gives the number to somebody who closes it himself.
package struct Descriptor: ~Copyable, Sendable {
    package let number: Int32

    /// Takes ownership of an open descriptor.
    package init(owning number: Int32) { self.number = number }

    deinit { _ = Glibc.close(number) }

    /// Gives up ownership: the caller closes the number.
    package consuming func take() -> Int32 {
        let number = self.number
        discard self
        return number
    }

    /// A second descriptor of the same open file, close-on-exec.
    package func duplicate() throws(SystemError) -> Descriptor {
        let number = self.number
        return Descriptor(owning: try retrying("fcntl") { fcntl(number, F_DUPFD_CLOEXEC, 3) })
    }
}

/// How to open a file; the flags of man 2 open. Close-on-exec is always added.
package struct OpenFlags: OptionSet, Sendable {
    package let rawValue: Int32
    package init(rawValue: Int32) { self.rawValue = rawValue }
    package static let readOnly = OpenFlags(rawValue: O_RDONLY)
    package static let writeOnly = OpenFlags(rawValue: O_WRONLY)
    package static let readWrite = OpenFlags(rawValue: O_RDWR)
    package static let create = OpenFlags(rawValue: O_CREAT)
    package static let exclusive = OpenFlags(rawValue: O_EXCL)
    package static let truncate = OpenFlags(rawValue: O_TRUNC)
    package static let append = OpenFlags(rawValue: O_APPEND)
    package static let nonBlocking = OpenFlags(rawValue: O_NONBLOCK)
    package static let directory = OpenFlags(rawValue: O_DIRECTORY)
    package static let pathOnly = OpenFlags(rawValue: 0o10000000)
    package static let noFollow = OpenFlags(rawValue: O_NOFOLLOW)
    /// An unnamed file in the directory given as path (O_TMPFILE).
    package static let unnamed = OpenFlags(rawValue: 0o20000000 | O_DIRECTORY)
}

/// What fstat(2) tells of an open file.
package struct FileStatus: Sendable, Equatable {
    package enum Kind: Sendable { case regular, directory, other }
    package let kind: Kind
    package let size: Int64
    /// Seconds since 1970.
    package let modified: Int64
    package let modifiedNanoseconds: Int64
    package let inode: UInt64
    package let device: UInt64
    /// Permission bits.
    package let mode: UInt32
    package let owner: UInt32

    init(_ raw: stat) {
        kind =
            cplatform_is_regular(raw.st_mode) != 0
            ? .regular : cplatform_is_directory(raw.st_mode) != 0 ? .directory : .other
        size = Int64(raw.st_size)
        modified = Int64(raw.st_mtim.tv_sec)
        modifiedNanoseconds = Int64(raw.st_mtim.tv_nsec)
        inode = UInt64(raw.st_ino)
        device = UInt64(raw.st_dev)
        mode = UInt32(raw.st_mode) & 0o7777
        owner = raw.st_uid
    }
}

package enum Files {
    /// Opens a path (man 2 open).
    package static func open(
        _ path: String, _ flags: OpenFlags, mode: Int32 = 0o600
    ) throws(SystemError) -> Descriptor {
        Descriptor(
            owning: try retrying("open") {
                cplatform_open(path, flags.rawValue | O_CLOEXEC, mode)
            })
    }

    /// Opens a path that must not leave `directory`, neither by `..` nor by a symbolic link
    /// (man 2 openat2, RESOLVE_BENEATH).
    package static func open(
        _ path: UnsafePointer<CChar>, beneath directory: Int32, _ flags: OpenFlags, mode: Int32 = 0
    ) throws(SystemError) -> Descriptor {
        while true {
            let number = cplatform_open_beneath(
                directory, path, flags.rawValue | O_CLOEXEC, mode)
            if number >= 0 { return Descriptor(owning: number) }
            let code = errno
            // EAGAIN: a rename raced with ".." (man 2 openat2); a bounded chance, so try again.
            if code != EINTR && code != EAGAIN { throw SystemError("openat2", code: code) }
        }
    }

    /// An anonymous file in memory (man 2 memfd_create).
    package static func memory(named name: String) throws(SystemError) -> Descriptor {
        Descriptor(owning: try retrying("memfd_create") { cplatform_memfd(name) })
    }

    /// The same with so many bytes, all 0.
    package static func memory(named name: String, size: Int) throws(SystemError) -> Descriptor {
        let file = try memory(named: name)
        _ = try retrying("ftruncate") { ftruncate(file.number, off_t(size)) }
        return file
    }

    package static func status(_ descriptor: Int32) throws(SystemError) -> FileStatus {
        var raw = stat()
        _ = try retrying("fstat") { fstat(descriptor, &raw) }
        return FileStatus(raw)
    }

    package static func status(path: String) throws(SystemError) -> FileStatus {
        var raw = stat()
        _ = try retrying("stat") { stat(path, &raw) }
        return FileStatus(raw)
    }

    /// A pipe, both ends close-on-exec.
    package static func pipe() throws(SystemError) -> (read: Int32, write: Int32) {
        var ends: [Int32] = [-1, -1]
        _ = try retrying("pipe2") { cplatform_pipe(&ends) }
        return (ends[0], ends[1])
    }

    /// Reads at an offset (man 2 pread). 0 = end of file.
    package static func read(
        _ descriptor: Int32, into room: UnsafeMutableRawBufferPointer, at offset: Int64
    ) throws(SystemError) -> Int {
        try retrying("pread") { pread(descriptor, room.baseAddress, room.count, off_t(offset)) }
    }

    /// Writes all bytes, however many calls it takes (man 2 write); for files and pipes.
    package static func writeAll(
        _ descriptor: Int32, _ bytes: UnsafeRawBufferPointer
    ) throws(SystemError) {
        var done = 0
        while done < bytes.count {
            done += try retrying("write") {
                Glibc.write(descriptor, bytes.baseAddress! + done, bytes.count - done)
            }
        }
    }

    /// Writes all bytes from an offset on (man 2 pwrite).
    package static func writeAll(
        _ descriptor: Int32, _ bytes: UnsafeRawBufferPointer, at offset: Int64
    ) throws(SystemError) {
        var done = 0
        while done < bytes.count {
            done += try retrying("pwrite") {
                pwrite(
                    descriptor, bytes.baseAddress! + done, bytes.count - done,
                    off_t(offset) + off_t(done))
            }
        }
    }

    /// Empties an open file (man 2 ftruncate).
    package static func empty(_ descriptor: Int32) { _ = ftruncate(descriptor, 0) }

    /// The same for a span.
    package static func writeAll(_ descriptor: Int32, _ bytes: RawSpan) throws(SystemError) {
        try bytes.withUnsafeBytes { (bytes) throws(SystemError) in try writeAll(descriptor, bytes) }
    }

    /// The whole content of a file, at most `limit` bytes (EFBIG beyond).
    package static func contents(
        of descriptor: Int32, limit: Int = 16 << 20
    ) throws(SystemError) -> [UInt8] {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65536)
        var offset: Int64 = 0
        while true {
            let count = try retrying("pread") {
                pread(descriptor, &chunk, chunk.count, off_t(offset))
            }
            if count == 0 { return bytes }
            bytes.append(contentsOf: chunk[..<count])
            offset += Int64(count)
            if bytes.count > limit { throw SystemError("read", code: EFBIG) }
        }
    }
}
