// How a file is opened.
// SPDX-License-Identifier: Apache-2.0

import Glibc

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
    /// A terminal does not become that of this process's session (O_NOCTTY).
    package static let noControllingTerminal = OpenFlags(rawValue: O_NOCTTY)
    package static let directory = OpenFlags(rawValue: O_DIRECTORY)
    package static let pathOnly = OpenFlags(rawValue: 0o10000000)
    package static let noFollow = OpenFlags(rawValue: O_NOFOLLOW)
    /// An unnamed file in the directory given as path (O_TMPFILE).
    package static let unnamed = OpenFlags(rawValue: 0o20000000 | O_DIRECTORY)
}
