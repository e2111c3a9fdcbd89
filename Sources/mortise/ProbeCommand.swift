// mortise probe FILE.so: loads the extension in a process that may die of it.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ExtensionHost

struct ProbeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "probe",
        abstract: "Load an extension and tell by the exit code what it declares.",
        shouldDisplay: false)

    @Argument var file: String

    /// What an extension that loads declares; 1 = it does not load, and the reason is the last line.
    ///
    /// Rationale: none is 0, because a library may call exit(0) while it is loaded.
    enum Declaration: Int32 {
        case notThreadSafe = 10
        case nothing = 11
        case threadSafe = 12
    }

    func run() throws {
        let name = String(file.split(separator: "/").last ?? "")
        let loaded: LoadedExtension
        do {
            loaded = try LoadedExtension.load(path: file, name: name)
        } catch {
            Terminal.say("\(error)")
            throw ExitCode.failure
        }
        let declaration: Declaration =
            switch loaded.declaredThreadSafe {
            case true?: .threadSafe
            case false?: .notThreadSafe
            case nil: .nothing
            }
        loaded.terminate()
        throw ExitCode(declaration.rawValue)
    }
}
