// System calls about files.
// SPDX-License-Identifier: Apache-2.0

import CPlatform
import Glibc

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
        Descriptor(owning: try retrying("memfd_create") { cplatform_memfd(name, 0) })
    }

    /// The same with these bytes, which nobody can change any more (man 2 fcntl, F_ADD_SEALS).
    package static func sealedMemory(
        named name: String, _ bytes: [UInt8]
    ) throws(SystemError) -> Descriptor {
        let file = Descriptor(
            owning: try retrying("memfd_create") { cplatform_memfd(name, 1) })
        try writeAll(file.number, bytes.span.bytes)
        let number = file.number
        _ = try retrying("fcntl") { cplatform_seal(number) }
        return file
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
