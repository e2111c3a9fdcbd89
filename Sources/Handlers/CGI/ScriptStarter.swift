// What a CGI handler needs from whoever starts processes.
// SPDX-License-Identifier: Apache-2.0

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
