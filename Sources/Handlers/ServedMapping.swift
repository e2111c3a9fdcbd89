// A mapping as the exchange that it answers sees it.
// SPDX-License-Identifier: Apache-2.0

/// A line of `handlers:` as far as the exchange it answers is concerned. Lives as long as the host.
package final class ServedMapping: Sendable {
    /// For logs: "extension hello", "pool php".
    package let name: String
    /// The pool's name when calls run in workers.
    package let poolName: String?
    /// The settings of the extension.
    package let settings: [(name: String, value: String)]
    /// What SCRIPT_NAME and SCRIPT_FILENAME are when the path led to no file of its own.
    let scriptName: [UInt8]
    let scriptFilename: [UInt8]
    /// How often its failures are lines in the log.
    let failures = FailureLines()

    package init(
        name: String, poolName: String? = nil,
        settings: [(name: String, value: String)] = [], scriptName: [UInt8] = [],
        scriptFilename: [UInt8] = []
    ) {
        self.name = name
        self.poolName = poolName
        self.settings = settings
        self.scriptName = scriptName
        self.scriptFilename = scriptFilename
    }
}
