// Descendants that lost their parent and became ours.
// SPDX-License-Identifier: Apache-2.0

import CPlatform
import Glibc

/// Processes that a child of this process started and left behind (man 2 PR_SET_CHILD_SUBREAPER).
package enum Orphans {
    /// From now on orphaned descendants become children of this process.
    package static func adopt() throws(SystemError) {
        _ = try retrying("prctl") { cplatform_adopt_orphans() }
    }

    /// Reaps a child by its number when it has ended; for adopted ones, which have no handle.
    package static func reap(_ pid: Int32) -> Bool { cplatform_reap(pid) == 1 }

    /// The children of the calling thread, ended ones included (man 5 proc, /proc/tid/task/tid/children).
    package static func children() -> [Int32] {
        guard let file = try? Files.open("/proc/thread-self/children", .readOnly),
            let text = try? Files.contents(of: file.number)
        else { return [] }
        return text.split(separator: UInt8(ascii: " ")).compactMap {
            Int32(String(decoding: $0, as: UTF8.self))
        }
    }

    /// The number of the process's session; nil when it is gone.
    package static func session(of pid: Int32) -> Int32? {
        let session = cplatform_session(pid)
        return session > 0 ? session : nil
    }

    /// Kills a child that has not been reaped: its number cannot have passed to another process.
    package static func kill(_ pid: Int32) { _ = cplatform_signal_process(pid, SIGKILL) }
}
