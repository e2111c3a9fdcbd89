// What a CGI handler needs from whoever starts processes.
// SPDX-License-Identifier: Apache-2.0

import Synchronization

package import Control

/// Starts CGI scripts: in the host, by asking the supervisor.
package protocol ScriptStarter: Sendable {
    /// Asks for a process with these standard streams. The descriptors stay the caller's, who closes
    /// them afterwards. Nil: nobody can be asked.
    ///
    /// The starter holds the output open until the script has ended, and longer when it has to tell how:
    /// whoever sees the output's end finds in the run's state how the script ended.
    func start(
        _ script: Script, stdin: Int32, stdout: Int32, stderr: Int32
    ) -> ScriptRun?
}

/// One started script, from the request for it to its end. Any thread may ask and tell.
package final class ScriptRun: Sendable {
    package enum State: Sendable, Equatable {
        /// Being started, running, or exited with code 0.
        case started
        /// It could not be started; errno.
        case failed(code: Int32)
        case ended(ProcessEnd)
    }

    package let id: UInt64
    private let current = Mutex(State.started)
    private let onEnd: @Sendable (UInt64, Bool) -> Void

    /// `onEnd` tells the starter of the request's end, and whether the output had ended before it.
    package init(id: UInt64, onEnd: @escaping @Sendable (UInt64, Bool) -> Void) {
        self.id = id
        self.onEnd = onEnd
    }

    package var state: State { current.withLock { $0 } }

    /// What the starter has learnt. An end is the last word.
    package func set(_ state: State) {
        current.withLock {
            switch $0 {
            case .started: $0 = state
            case .failed, .ended: break
            }
        }
    }

    /// The request is over; unless its output has ended, whatever is left of the script shall end too.
    package func end(outputHasEnded: Bool) { onEnd(id, outputHasEnded) }
}
