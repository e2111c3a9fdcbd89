// The worker processes of one pool: carries out what its ledger decides.
// SPDX-License-Identifier: Apache-2.0

import Configuration
import Control
import Platform

/// One worker process with what the supervisor holds of it.
final class WorkerProcess {
    let process: ChildProcess
    /// Where it accepts connections; also in the child, as its descriptor 0. Readable while a connection
    /// waits there, so it tells whether the worker has accepted.
    let listener: Descriptor
    let path: String
    /// Made for the next host that gets this worker.
    var connection: Descriptor?
    /// The read end of its standard output and error.
    let outputPipe: Descriptor
    var output = WorkerOutput()

    init(
        process: ChildProcess, listener: consuming Descriptor, path: String,
        outputPipe: consuming Descriptor
    ) {
        self.process = process
        self.listener = listener
        self.path = path
        self.outputPipe = outputPipe
    }

    /// Replaces the connection by a new one, which waits in the listener's queue.
    func reconnect() throws(SystemError) {
        connection = nil
        connection = try Socket.connect(.unix(path))
    }

    /// No connection waits: the worker has taken what was made for it.
    var hasAccepted: Bool {
        Socket.wait(listener.number, for: .readable, milliseconds: 0).isEmpty
    }
}

final class PoolProcesses {
    let key: UInt64
    let settings: Settings.Pool
    /// The configuration the pool belongs to.
    let configuration: Settings
    var ledger: PoolLedger
    var workers: [UInt64: WorkerProcess] = [:]
    /// Of the same name under an older configuration; until it is over.
    var predecessor: PoolProcesses?

    init(
        key: UInt64, _ settings: Settings.Pool, of configuration: Settings,
        replacing predecessor: PoolProcesses?
    ) {
        self.key = key
        self.settings = settings
        self.configuration = configuration
        self.predecessor = predecessor
        ledger = PoolLedger(
            PoolLedger.Limits(
                name: settings.name, minimum: settings.minimum, maximum: settings.maximum,
                startTimeout: settings.startTimeout))
    }

    /// Processes of this pool and of those it replaces.
    var processCount: Int { workers.count + (predecessor?.processCount ?? 0) }
}

/// What a worker is started with: its program, arguments and variables.
struct WorkerStart: Equatable {
    var program: String
    var arguments: [String]
    var environment: [String]
    /// `mortise worker`: it keeps private copies of extensions in the runtime folder.
    var isWorker = false
    var folder: String?

    enum Failure: Error, Equatable {
        case programMissing(String)
        var reason: String {
            switch self {
            case .programMissing(let name):
                "could not be started: program \(name) was not found or may not be executed"
            }
        }
    }

    /// - Parameter mortise: the path of this program.
    init(pool: Settings.Pool, settings: Settings, mortise: String) throws(Failure) {
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
                arguments += [found.file, "--name", name]
                for setting in found.settings {
                    arguments += ["--setting", "\(setting.name)=\(setting.value)"]
                }
            }
        }
        folder = pool.folder
        environment = Self.environment(pool)
    }

    /// Built from zero. The pool alone decides when a php-cgi has served enough, and one process serves
    /// one request: PHP's own counters must not undercut it.
    private static func environment(_ pool: Settings.Pool) -> [String] {
        var variables = ChildEnvironment.variables
        variables.append(("PHP_FCGI_MAX_REQUESTS", "2147483647"))
        let own = Set(pool.environment.map(\.name))
        return variables.filter { !own.contains($0.0) }.map { "\($0.0)=\($0.1)" }
            + pool.environment.map { "\($0.name)=\($0.value)" }
    }
}
