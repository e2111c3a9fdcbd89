// The end of this process.
// SPDX-License-Identifier: Apache-2.0

import CPlatform
import Glibc

package enum Exit {
    /// Ends the process at once: no exit handlers, no destructors (man 2 _exit). Strangers' code is loaded
    /// here; what it registered for the end must not keep the process from leaving.
    package static func now(_ code: Int32) -> Never { cplatform_exit_now(code) }
}

extension Exit {
    /// This process's number, for names and messages.
    package static var processNumber: Int32 { getpid() }
}
