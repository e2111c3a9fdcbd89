// mortise worker FILE.so
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Platform
import Supervision
import Worker

struct WorkerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "worker",
        abstract: "Serve one extension as a FastCGI program.",
        discussion: """
            Listens on the socket that is descriptor 0, as FastCGI programs do, and answers one request \
            at a time. 'mortise serve' starts workers by itself; start one to run an extension behind \
            another web server, for example with spawn-fcgi.
            """)

    @Argument(help: ArgumentHelp("The extension.", valueName: "file.so"))
    var file: String

    @Option(help: "The extension's name in messages (default: the file's).")
    var name: String?

    @Option(
        help: ArgumentHelp(
            "A copy of the extension that is loaded in its place.", visibility: .hidden))
    var copy: String?

    @Option(
        name: .customLong("setting"),
        help: ArgumentHelp(
            "A setting of the extension; as often as there are settings.", valueName: "name=value"))
    var settings: [Setting] = []

    /// "NAME=VALUE"; the value may be empty and hold more "=".
    struct Setting: ExpressibleByArgument {
        let name: String
        let value: String

        init?(argument: String) {
            guard let equals = argument.firstIndex(of: "="), equals != argument.startIndex else {
                return nil
            }
            name = String(argument[..<equals])
            value = String(argument[argument.index(after: equals)...])
        }
    }

    func run() throws {
        if let page = WorkerSettings.takeFaultPage() {
            // Without it the worker serves all the same.
            try? FaultRecorder.start(Descriptor(owning: page))
        }
        var options = FastCGIWorker.Options()
        options.copy = copy
        options.settings =
            try WorkerSettings.take() + settings.map { (name: $0.name, value: $0.value) }
        throw ExitCode(
            FastCGIWorker.run(
                library: Folders.absolute(file), name: name ?? file, options: options))
    }
}
