// mortise host: what the supervisor starts.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Server

struct HostCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "host", abstract: "The threaded server, started by 'mortise serve'.",
        shouldDisplay: false)

    /// The supervisor's, because the program's file may have been replaced since it started.
    @Option var extensionFolder: String

    func run() throws {
        throw ExitCode(HostProcess.run(builtInExtensionFolder: extensionFolder))
    }
}
