// What a worker is started with: program, arguments, environment.
// SPDX-License-Identifier: Apache-2.0

import Configuration
import Platform

/// What a worker is started with: its program, arguments and variables.
struct WorkerStart: Equatable {
    var program: String
    var arguments: [String]
    var environment: [String] = []
    /// `mortise worker`: it keeps private copies of extensions in the runtime folder.
    var isWorker = false
    var folder: String?
    var confinement = Confinement()
    /// Whose hosts connect to it; nil: this process's user's.
    var host: Identity?
    /// Of the extension.
    var settings: [Settings.Setting] = []

    enum Failure: Error, Equatable {
        case programMissing(String)
        case folderMissing(String)
        var reason: String {
            switch self {
            case .programMissing(let name):
                "could not be started: program \(name) was not found or may not be executed"
            case .folderMissing(let path):
                "could not be started: its folder \(path) does not exist; make it, or correct 'folder'"
            }
        }
    }

    /// - Parameter mortise: the path of this program.
    init(
        pool: Settings.Pool, settings: Settings, _ identities: Identities, mortise: String
    ) throws(Failure) {
        confinement = identities.confinement(pool.confinement)
        host = identities.identity(of: settings.account)
        if let folder = pool.folder, (try? Files.status(path: folder))?.kind != .directory {
            throw .folderMissing(folder)
        }
        switch pool.program {
        case .command(let words):
            let name = words.first ?? ""
            guard let path = ProgramSearch.find(name, folder: pool.folder) else {
                throw .programMissing(name)
            }
            program = path
            arguments = words
        case .worker(let name):
            isWorker = true
            program = mortise
            arguments = ["mortise", "worker"]
            if let found = settings.extensions.first(where: { $0.name == name }) {
                arguments += [found.verdict?.path ?? found.file, "--name", name]
                if let copy = found.verdict?.copy { arguments += ["--copy", copy] }
                self.settings = found.settings
            }
        }
        folder = pool.folder
        environment += Self.environment(pool)
    }

    /// Built from zero. The host alone decides when a php-cgi has served enough (a limit of the operator's
    /// is part of that decision, see `requestsPerProcess`), so that none ends while it is sent a request.
    private static func environment(_ pool: Settings.Pool) -> [String] {
        var variables = ChildEnvironment.variables
        let own = Set(pool.environment.map(\.name))
        variables.removeAll { own.contains($0.0) }
        variables += pool.environment.map { ($0.name, $0.value) }
        variables.removeAll { $0.0 == Settings.Pool.ownLimitVariable }
        variables.append((Settings.Pool.ownLimitVariable, "2147483647"))
        return variables.map { "\($0.0)=\($0.1)" }
    }
}
