// Signals by name, and what becomes of them.
// SPDX-License-Identifier: Apache-2.0

import CPlatform
import Glibc

package struct Signal: RawRepresentable, Hashable, Sendable {
    package let rawValue: Int32
    package init(rawValue: Int32) { self.rawValue = rawValue }
    package static let hangUp = Signal(rawValue: SIGHUP)
    package static let interrupt = Signal(rawValue: SIGINT)
    package static let kill = Signal(rawValue: SIGKILL)
    package static let terminate = Signal(rawValue: SIGTERM)
    package static let child = Signal(rawValue: SIGCHLD)
    package static let user1 = Signal(rawValue: SIGUSR1)
    package static let pipe = Signal(rawValue: SIGPIPE)
    package static let abort = Signal(rawValue: SIGABRT)

    /// "SIGSEGV"; "signal 34" for those without a name.
    package static func name(_ number: Int32) -> String {
        guard let name = cplatform_signal_name(number) else { return "signal \(number)" }
        return "SIG\(String(cString: name))"
    }

    /// Ignores the signal in this process; programs it starts get the default again.
    package static func ignore(_ signal: Signal) { cplatform_ignore_signal(signal.rawValue) }
}
