// The variables every process of the server gets.
// SPDX-License-Identifier: Apache-2.0

import Platform

/// Hosts, workers and probes see the same: what loads for one loads for all.
enum ChildEnvironment {
    static var variables: [(String, String)] {
        var variables = [
            ("PATH", Environment.value(of: "PATH") ?? "/usr/local/bin:/usr/bin:/bin"),
            ("LANG", Environment.value(of: "LANG") ?? "C.UTF-8"),
            // Swift's crash catcher would hold a dying process, and with it its requests.
            ("SWIFT_BACKTRACE", "enable=no"),
        ]
        if let zone = Environment.value(of: "TZ") { variables.append(("TZ", zone)) }
        return variables
    }

    /// Each "NAME=value".
    static var strings: [[UInt8]] { variables.map { Array("\($0.0)=\($0.1)".utf8) } }
}
