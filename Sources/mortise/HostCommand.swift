// mortise host: what the supervisor starts.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Server

struct HostCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "host", abstract: "The threaded server, started by 'mortise serve'.",
        shouldDisplay: false)

    func run() throws {
        let folder: String
        do {
            folder = try Commands.programFolder()
        } catch {
            Terminal.complain("\(error)")
            throw ExitCode.failure
        }
        throw ExitCode(Host.run(builtInExtensionFolder: folder))
    }
}
