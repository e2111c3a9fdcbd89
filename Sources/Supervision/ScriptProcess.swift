// One CGI script as the supervisor sees it.
// SPDX-License-Identifier: Apache-2.0

import Platform

/// A CGI script of one request, leader of a process group.
///
///     runs ──endScript──► killed ──reaped──► forgotten
///       │ exits with 0, alone ─────────────► forgotten
///       │ exits with 0, others left ──► lingers ──grace──► its group killed, forgotten
///       │ any other end ──► told ──endScript─┘
///       └ cannot be started ──► told ──endScript or grace──► forgotten
final class ScriptProcess {
    let id: UInt64
    /// 0: it could not be started.
    let pid: Int32
    /// Nil when the host is gone.
    var host: HostProcess?
    /// While it is open the host does not see the end of the script's output.
    var output: Descriptor?
    /// The request is over: the group has been killed.
    var isDismissed = false
    /// When it is forgotten although the host says nothing, or somebody of its group lives.
    var forgetAt = Instant.never

    init(id: UInt64, pid: Int32, host: HostProcess, output: consuming Descriptor) {
        self.id = id
        self.pid = pid
        self.host = host
        self.output = consume output
    }
}
