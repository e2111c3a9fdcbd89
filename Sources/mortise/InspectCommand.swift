// mortise inspect FILE.so
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser

struct InspectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect",
        abstract: "Show what an extension is and what it declares.",
        discussion:
            "The extension is loaded in a process of its own: what it breaks is broken there.")

    @Argument(help: ArgumentHelp("The extension.", valueName: "file.so"))
    var file: String

    func run() throws {
        let result: OwnProgram.Result
        do {
            result = try OwnProgram.run(
                ["inspect-child", "--", Folders.absolute(file)], seconds: Probe.seconds)
        } catch {
            Terminal.complain("\(file): \(error)")
            throw ExitCode.failure
        }
        guard let problem = Probe.problem(result) else {
            for line in result.lines { Terminal.say(line) }
            return
        }
        for line in result.lines where line != problem { Terminal.complain(line) }
        Terminal.complain("\(file): \(problem)")
        throw ExitCode.failure
    }
}
