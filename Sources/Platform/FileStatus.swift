// What is known of a file.
// SPDX-License-Identifier: Apache-2.0

import CPlatform
import Glibc

/// What fstat(2) tells of an open file.
package struct FileStatus: Sendable, Equatable {
    package enum Kind: Sendable { case regular, directory, socket, other }
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
            switch raw.st_mode & S_IFMT {
            case S_IFREG: .regular
            case S_IFDIR: .directory
            case S_IFSOCK: .socket
            default: .other
            }
        size = Int64(raw.st_size)
        modified = Int64(raw.st_mtim.tv_sec)
        modifiedNanoseconds = Int64(raw.st_mtim.tv_nsec)
        inode = UInt64(raw.st_ino)
        device = UInt64(raw.st_dev)
        mode = UInt32(raw.st_mode) & 0o7777
        owner = raw.st_uid
    }
}
