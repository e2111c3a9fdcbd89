// What stands at a path of a stranger's, below a folder it must not leave.
// SPDX-License-Identifier: Apache-2.0

import CPlatform
import Glibc

extension Files {
    /// What a path leads to.
    package enum Entry: ~Copyable {
        /// A regular file, open for reading.
        case file(Descriptor, FileStatus)
        case folder
        /// A device, pipe or socket.
        case special
        /// errno: ENOENT, ENOTDIR, EACCES, EXDEV (outside), ELOOP, ENAMETOOLONG, EMFILE …
        case failed(Int32)
    }

    /// Opens what stands at `path` followed by `name`, below `folder`; leading slashes do not count.
    ///
    /// Neither ".." nor a symbolic link leads out of the folder (man 2 openat2, RESOLVE_BENEATH). The
    /// call never waits: a pipe is opened without its writer. Allocates nothing for paths below 1 KiB.
    package static func find(
        _ path: Span<UInt8>, _ name: Span<UInt8>, beneath folder: Int32
    ) -> Entry {
        var start = 0
        while start < path.count && path[start] == UInt8(ascii: "/") { start += 1 }
        let opened = open(path.extracting(start..<path.count), name, beneath: folder)
        if opened < 0 { return .failed(-opened) }
        let descriptor = Descriptor(owning: opened)
        guard let status = try? status(descriptor.number) else { return .failed(EIO) }
        switch status.kind {
        case .regular: return .file(descriptor, status)
        case .directory: return .folder
        case .socket, .other: return .special
        }
    }

    /// A descriptor, or the negative errno.
    private static func open(
        _ path: Span<UInt8>, _ name: Span<UInt8>, beneath folder: Int32
    ) -> Int32 {
        let count = path.count + name.count
        guard count < Int(PATH_MAX) else { return -ENAMETOOLONG }
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: max(2, count + 1)) { room in
            for index in 0..<count {
                let byte = index < path.count ? path[index] : name[index - path.count]
                // The system would stop reading here, and whoever checked the path did not.
                if byte == 0 { return -EINVAL }
                room[index] = CChar(bitPattern: byte)
            }
            if count == 0 { room[0] = CChar(bitPattern: UInt8(ascii: ".")) }
            room[max(1, count)] = 0
            return open(room.baseAddress!, beneath: folder)
        }
    }

    private static func open(_ path: UnsafePointer<CChar>, beneath folder: Int32) -> Int32 {
        let flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC
        var code: Int32 = 0
        // EAGAIN: a rename raced with ".."; whoever renames for ever must not hold the thread.
        for _ in 0..<32 {
            let number = cplatform_open_beneath(folder, path, flags, 0)
            if number >= 0 { return number }
            code = errno
            if code != EINTR && code != EAGAIN { break }
        }
        return -code
    }
}

/// What a failure to open a file means to whoever asked for it.
package enum FileFailure: Sendable {
    /// It is not there, or nobody shall know that it is.
    case missing
    case forbidden
    /// Descriptors or memory are short: later it may work.
    case exhausted
    case broken

    package init(_ code: Int32) {
        switch code {
        case ENOENT, ENOTDIR, EXDEV, ELOOP, ENAMETOOLONG, EINVAL, ENXIO, ENODEV: self = .missing
        case EACCES, EPERM: self = .forbidden
        case EMFILE, ENFILE, ENOMEM, EAGAIN, EINTR: self = .exhausted
        default: self = .broken
        }
    }
}
