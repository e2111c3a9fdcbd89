// Standard output and error of a process that runs strangers' code.
// SPDX-License-Identifier: Apache-2.0

import CPlatform
import Glibc

package enum StandardStreams {
    /// What is printed to standard output is written at each end of a line, also into a pipe.
    package static func printByLines() { cplatform_print_by_lines() }

    /// What code in this process prints goes to that pipe from now on, line by line; the logs stay where they
    /// are. Before the process has other threads.
    package static func divert(to pipe: consuming Descriptor) throws(SystemError) {
        // Both have descriptors of their own from here on.
        _ = ErrorLog.shared
        try LogFile.keepStandardOutput()
        let number = pipe.number
        for stream in [STDOUT_FILENO, STDERR_FILENO] {
            _ = try retrying("dup2") { dup2(number, stream) }
        }
        printByLines()
    }
}
