// mortise check [FILE.yaml]
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Configuration
import Platform
import Supervision

struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Check a configuration and everything it needs.",
        discussion: """
            Reads the file, loads every extension in a process of its own, and looks for the programs and \
            folders it names. Nothing is started or changed.
            """)

    @Argument(help: ArgumentHelp("The configuration.", valueName: "file.yaml"))
    var file = "site.yaml"

    func run() throws {
        var (configuration, settings) = try Commands.load { () throws(ConfigurationText.Failure) in
            try ConfigurationText.ofFile(file)
        }
        let identities = Identities(of: settings, file: configuration.name)
        guard identities.complaints.isEmpty else {
            for complaint in identities.complaints { Terminal.complain("\(complaint)") }
            throw ExitCode.configuration
        }
        do {
            let probe = try ExtensionProbe(settings, identities, program: Supervisor.ownProgram)
            probe.run.finish()
            for (index, verdict) in probe.verdicts.enumerated() {
                settings.apply(verdict, toExtension: index)
            }
        } catch {
            Terminal.complain("\(configuration.name): its extensions cannot be probed: \(error)")
            throw ExitCode.failure
        }
        let problems = Requirements(settings).missing()
        for problem in problems { Terminal.complain("\(configuration.name): \(problem)") }
        guard problems.isEmpty else { throw ExitCode.failure }
        Terminal.say(Self.summary(configuration.name, settings))
    }

    private static func summary(_ name: String, _ settings: Settings) -> String {
        let counts = [
            count(settings.listeners.count, "listener"), count(settings.sites.count, "site"),
            count(settings.extensions.count, "extension"),
            count(settings.pools.count - settings.extensions.count, "pool"),
        ]
        let homes = settings.extensions.map { entry in
            let pool = settings.pools[entry.pool]
            let most = pool.minimum < pool.maximum ? "up to " : ""
            let home =
                entry.verdict?.home == .inProcess
                ? "called in the server"
                : "isolated in \(most)\(count(pool.maximum, "process", "processes"))"
            return "\n  extension \(entry.name): \(home), \(entry.verdict?.path ?? entry.library)"
        }
        return "\(name): good; \(counts.joined(separator: ", "))" + homes.joined()
    }

    private static func count(_ number: Int, _ one: String, _ many: String? = nil) -> String {
        "\(number) \(number == 1 ? one : many ?? one + "s")"
    }
}
