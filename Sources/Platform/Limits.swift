// What the system allows this process.
// SPDX-License-Identifier: Apache-2.0

import CPlatform
import Glibc

/// Resource limits of this process (man 2 getrlimit).
package enum Limits {
    /// More descriptors than this are of no use, and programs that keep a table of as many entries as they
    /// may open files would take all memory for it.
    package static let mostOpenFiles: UInt64 = 1 << 20

    /// How many descriptors this process may have open (RLIMIT_NOFILE, the soft limit).
    package static var openFiles: Int { Int(clamping: cplatform_open_files()) }

    /// Raises the soft limit on open files to the hard one, at most to `mostOpenFiles`.
    ///
    /// Programs started afterwards get the limit from before, unless `ProcessStart.keepsOpenFileLimit`.
    package static func raiseOpenFiles() throws(SystemError) {
        _ = try retrying("setrlimit") { cplatform_raise_open_files(mostOpenFiles) }
    }

    /// Makes the process's table of descriptors large enough for so many, as far as the limit goes.
    ///
    /// The kernel doubles the table whenever it is full, and in a process with several threads whoever opens the
    /// descriptor that did not fit waits for all processors meanwhile, 10 ms or so (Linux, fs/file.c,
    /// `expand_fdtable`). Called before there are threads nobody waits.
    package static func makeRoom(forDescriptors count: Int) throws(SystemError) {
        let last = Int32(clamping: min(count, openFiles) - 1)
        guard last > 0 else { return }
        _ = try retrying("fcntl") { cplatform_enlarge_descriptors(last) }
    }
}
