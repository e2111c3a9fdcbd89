// The CGI scripts that run for this host.
// SPDX-License-Identifier: Apache-2.0

import Synchronization

package import Control

/// Starts scripts by asking the supervisor, and passes on what it says of them.
package final class ScriptTable: ScriptStarter {
    private struct State {
        var lastID: UInt64 = 0
        var runs: [UInt64: ScriptRun] = [:]
    }

    private let link: SupervisorLink
    private let state = Mutex(State())

    package init(link: SupervisorLink) { self.link = link }

    /// Nil when the request cannot be sent: the supervisor is gone, or the script's arguments and
    /// variables are more than a message holds.
    package func start(
        _ script: Script, stdin: Int32, stdout: Int32, stderr: Int32
    ) -> ScriptRun? {
        let run = state.withLock { state in
            state.lastID += 1
            // It holds this table until its end, which always comes.
            let run = ScriptRun(id: state.lastID) { self.end($0, outputHasEnded: $1) }
            state.runs[run.id] = run
            return run
        }
        let message = HostMessage.startScript(id: run.id, script)
        guard link.send(message, descriptors: [stdin, stdout, stderr]) else {
            state.withLock { $0.runs[run.id] = nil }
            return nil
        }
        return run
    }

    /// What the supervisor says of a script; false when the message is about something else.
    @discardableResult
    package func receive(_ message: SupervisorMessage) -> Bool {
        switch message {
        case .scriptFailed(let id, let code): set(id, .failed(code: code))
        case .scriptEnded(let id, let end): set(id, .ended(end))
        default: return false
        }
        return true
    }

    /// Scripts whose requests are not over.
    package var count: Int { state.withLock { $0.runs.count } }

    private func set(_ id: UInt64, _ news: ScriptRun.State) {
        state.withLock { $0.runs[id] }?.set(news)
        // Now the supervisor may let go of the output.
        link.send(.endScript(id: id))
    }

    private func end(_ id: UInt64, outputHasEnded: Bool) {
        let run = state.withLock { $0.runs.removeValue(forKey: id) }
        guard let run, !outputHasEnded, run.state == .started else { return }
        link.send(.endScript(id: id))
    }
}
