// The variables that this process was started with.
// SPDX-License-Identifier: Apache-2.0

import Glibc

/// The variables this process was started with (man 7 environ).
package enum Environment {
    package static func value(of name: String) -> String? {
        guard let value = getenv(name) else { return nil }
        return String(cString: value)
    }

    /// The value, which is gone then. Only while the process has one thread (man 3 unsetenv).
    package static func take(_ name: String) -> String? {
        let value = value(of: name)
        unsetenv(name)
        return value
    }
}
