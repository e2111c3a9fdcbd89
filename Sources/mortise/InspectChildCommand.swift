// mortise inspect-child FILE.so: shows the extension, and dies of it if that is how it is.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Control
import ExtensionHost

struct InspectChildCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect-child",
        abstract: "Load an extension here and show it, for 'mortise inspect'.",
        shouldDisplay: false)

    @Argument var file: String

    /// An exit code of `mortise probe` when the extension can be used.
    func run() throws {
        guard Inspection.run(file) == 0 else { throw ExitCode.failure }
        throw ExitCode(ProbeAnswer.declaresNothing.rawValue)
    }
}
