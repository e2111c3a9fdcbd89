// The command line: which commands there are, and what the shell learns of their end.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser

@main
struct Mortise: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mortise",
        abstract: "A web server that calls ISAPI-style extensions on its own threads.",
        discussion: """
            Exit codes: 0 success, 1 failure, 2 wrong use, 78 a configuration with errors.
            """,
        version: VersionCommand.text,
        subcommands: [
            ServeCommand.self, CheckCommand.self, InspectCommand.self, WorkerCommand.self,
            StatusCommand.self, CrashesCommand.self, ReloadCommand.self, RecycleCommand.self,
            StopCommand.self, QuarantineCommand.self, ReleaseCommand.self,
            VersionCommand.self, HostCommand.self, InspectChildCommand.self, ProbeCommand.self,
        ])

    static func main() {
        do {
            var command = try parseAsRoot()
            try command.run()
        } catch let code as ExitCode {
            exit(withError: code)
        } catch {
            // Everything a command finds out by itself is an ExitCode; what is left is its use.
            guard exitCode(for: error) != .success else { exit(withError: error) }
            Terminal.complain(fullMessage(for: error))
            exit(withError: ExitCode.wrongUse)
        }
    }
}

extension ExitCode {
    static let wrongUse = ExitCode(2)
    /// EX_CONFIG of sysexits.h.
    static let configuration = ExitCode(78)
}
