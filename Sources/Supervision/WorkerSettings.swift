// How a worker gets its extension's settings.
// SPDX-License-Identifier: Apache-2.0

import Configuration
import Platform

/// Settings travel in the environment: a password among them is nobody else's, as it would be in the
/// arguments, which everybody may read (man 5 proc, /proc/pid/cmdline and environ).
package enum WorkerSettings {
    /// Where our own worker finds its page of faults: the number of a descriptor.
    static let faultPageVariable = "MORTISE_FAULT_PAGE"

    /// The calling process's page of faults, when it was started with one; taken as `take` takes settings.
    package static func takeFaultPage() -> Int32? {
        Environment.take(faultPageVariable).flatMap { Int32($0) }
    }

    private static let prefix = "MORTISE_SETTING_"

    /// The variables for a start, "MORTISE_SETTING_1=NAME=VALUE" and so on.
    static func variables(_ settings: [Settings.Setting]) -> [String] {
        settings.enumerated().map {
            "\(prefix)\($0.offset + 1)=\($0.element.name)=\($0.element.value)"
        }
    }

    /// Takes them out of the calling process's environment, so that no process it starts inherits them.
    /// Only while it has one thread (man 3 unsetenv).
    package static func take() -> [(name: String, value: String)] {
        var found: [(name: String, value: String)] = []
        while let text = Environment.take("\(prefix)\(found.count + 1)"),
            let equals = text.firstIndex(of: "=")
        {
            found.append((String(text[..<equals]), String(text[text.index(after: equals)...])))
        }
        return found
    }
}
