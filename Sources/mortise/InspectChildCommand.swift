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

    func run() throws {
        ProbeAnswer.begin(copy: nil)
        let inspection: Inspection
        do {
            inspection = try Inspection(path: file)
        } catch {
            Terminal.say("\(error)")
            throw ExitCode.failure
        }
        Terminal.say("\(inspection)")
        // That it can be used; what it declares is among the lines.
        ProbeAnswer.declaresNothing.tell()
        inspection.terminate()
    }
}
