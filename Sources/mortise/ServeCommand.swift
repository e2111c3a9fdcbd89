// mortise serve [FILE.yaml|FILE.so|FOLDER]
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Configuration
import Platform
import Supervision

struct ServeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Serve a configuration, an extension or a folder.",
        discussion: """
            A configuration is served as it is written. An extension answers every path of one site. A \
            folder is served by its site.yaml; without one its files are, PHP scripts by php-cgi and \
            those of a folder cgi-bin as CGI.

            SIGHUP reads the configuration anew, SIGUSR1 opens the log files anew, SIGTERM finishes the \
            requests in flight and stops. They go to this process: the number behind "supervisor/" in the \
            error log.
            """)

    @Argument(
        help: ArgumentHelp(
            "What to serve; without it site.yaml of this folder.", valueName: "file|folder"))
    var what: String?

    @Option(
        help: ArgumentHelp(
            "Where to listen when there is no configuration file (default: \(StarterText.listen)).",
            valueName: "address"))
    var listen: String?

    func validate() throws {
        guard let listen, !Address.isValid(listen) else { return }
        throw ValidationError("'--listen \(listen)': expected \(Address.expected).")
    }

    func run() throws {
        // Before anything is opened.
        let manager = ServiceManager.take()
        let (configuration, _) = try Commands.load { () throws(ConfigurationText.Failure) in
            try ConfigurationText.of(what, listen: listen)
        }
        if case .file = configuration.origin, listen != nil {
            throw ValidationError("'--listen' has no meaning beside a configuration file.")
        }
        let code: Int32
        do {
            code = try serve(configuration, manager)
        } catch {
            Terminal.complain("\(error)")
            throw ExitCode.failure
        }
        // 2 of the supervisor: the configuration changed and broke since it was read above.
        throw code == 2 ? ExitCode.configuration : ExitCode(code)
    }

    private func serve(
        _ configuration: ConfigurationText, _ manager: ServiceManager
    ) throws(SystemError) -> Int32 {
        let folder = try Commands.programFolder()
        var options = Supervisor.Options(
            configurationPath: try path(of: configuration), builtInExtensionFolder: folder)
        options.manager = manager
        options.hostArguments += ["--extension-folder", folder]
        // Who names an extension or a folder tries it out, and has nowhere to write 'user: root'.
        if case .made = configuration.origin { options.mayBeRoot = true }
        return Supervisor.run(options)
    }

    /// The supervisor reads a file, and reads it again at every reload: a made-up text is an unnamed file
    /// in memory, open as long as the process lives.
    private func path(of configuration: ConfigurationText) throws(SystemError) -> String {
        if case .file(let path) = configuration.origin { return path }
        let file = try Files.memory(named: "mortise-configuration").take()
        try Commands.write(configuration.text, to: file)
        return "/proc/self/fd/\(file)"
    }
}
