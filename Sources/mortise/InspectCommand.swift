// mortise inspect FILE.so
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Supervision

struct InspectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect",
        abstract: "Show what an extension is and what it declares.",
        discussion:
            "The extension is loaded in a process of its own: what it breaks is broken there.")

    @Argument(help: ArgumentHelp("The extension.", valueName: "file.so"))
    var file: String

    func run() throws {
        let run: ProbeRun
        do {
            run = try ProbeRun(
                program: Supervisor.ownProgram, command: "inspect-child",
                libraries: [(Folders.absolute(file), nil)])
        } catch {
            Terminal.complain("\(file): \(error)")
            throw ExitCode.failure
        }
        run.finish()
        guard let result = run.results[0] else { preconditionFailure("the run is done") }
        guard let problem = result.problem else {
            for line in result.lines { Terminal.say(line) }
            return
        }
        for line in result.lines where line != problem { Terminal.complain(line) }
        Terminal.complain("\(file): \(problem)")
        throw ExitCode.failure
    }
}
