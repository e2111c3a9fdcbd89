// What a CGI handler needs from whoever starts processes.
// SPDX-License-Identifier: Apache-2.0

import Synchronization

package import Control

/// Starts CGI scripts: in the host, by asking the supervisor.
package protocol ScriptStarter: Sendable {
    /// Asks for a process with these standard streams. The descriptors stay the caller's, who closes
    /// them afterwards. Nil: nobody can be asked.
    func start(
        _ script: Script, stdin: Int32, stdout: Int32, stderr: Int32
    ) -> ScriptRun?
}

/// One started script, from the request for it to its end. Any thread may ask and tell.
package final class ScriptRun: Sendable {
    package enum State: Sendable, Equatable {
        case starting
        case running(pid: Int32)
        /// It could not be started; errno.
        case failed(code: Int32)
        case ended(ProcessEnd)
    }

    package let id: UInt64
    private let current = Mutex(State.starting)
    private let sendEnd: @Sendable (UInt64) -> Void

    /// `sendEnd` tells the starter that whatever is left of the script shall end.
    package init(id: UInt64, sendEnd: @escaping @Sendable (UInt64) -> Void) {
        self.id = id
        self.sendEnd = sendEnd
    }

    package var state: State { current.withLock { $0 } }

    /// What the starter has learnt. An end is the last word.
    package func note(_ state: State) {
        current.withLock {
            switch $0 {
            case .starting, .running: $0 = state
            case .failed, .ended: break
            }
        }
    }

    /// The request is over.
    package func end() { sendEnd(id) }
}
