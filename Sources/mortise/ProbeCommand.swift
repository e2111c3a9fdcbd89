// mortise probe FILE.so: loads the extension in a process that may die of it.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Control
import ExtensionHost
import Platform

struct ProbeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "probe",
        abstract: "Load an extension and tell whoever started this what it declares.",
        shouldDisplay: false)

    @Option(help: "A folder for a copy of the extension, which is loaded in its place.")
    var copies: String?

    @Option(
        help: "As whom it is loaded once its copy is made: user:group:groups, in numbers.")
    var identity: Account?

    @Argument var file: String

    struct Account: ExpressibleByArgument {
        let identity: Identity
        init?(argument: String) {
            guard let identity = Identity(text: argument) else { return nil }
            self.identity = identity
        }
    }

    func run() throws {
        let name = String(file.split(separator: "/").last ?? "")
        let loaded: LoadedExtension
        do {
            let copy = try copies.flatMap { folder in
                try ExtensionCopy.make(of: file, name: name, in: folder)
            }
            ProbeAnswer.begin(copy: copy)
            // The code of others runs from here on.
            if let identity {
                try Confinement(identity: identity.identity).confineThisProcess()
            }
            loaded = try LoadedExtension.load(
                path: file, name: name, copy: copy.map { "\(copies!)/\($0)" })
        } catch {
            Terminal.say("\(error)")
            throw ExitCode.failure
        }
        let answer: ProbeAnswer =
            switch loaded.declaredThreadSafe {
            case true?: .declaresThreadSafe
            case false?: .declaresNotThreadSafe
            case nil: .declaresNothing
            }
        answer.tell()
        loaded.terminate()
    }
}
