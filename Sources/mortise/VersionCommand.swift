// mortise version
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser

struct VersionCommand: ParsableCommand {
    static let text = "mortise 0.1.0"

    static let configuration = CommandConfiguration(
        commandName: "version", abstract: "Show the version.")

    func run() { Terminal.say(Self.text) }
}
