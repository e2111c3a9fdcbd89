// What the server does, for an operator.
// SPDX-License-Identifier: Apache-2.0

import Configuration
import Control
import Platform

/// A look at the supervisor's world: `mortise status`.
struct StatusReport {
    private struct Process {
        var pid: Int32
        var state: String
        var seconds: Double
    }

    private struct Pool {
        var name: String
        var workers: [Process]
        var quarantine: String?
    }

    private struct Extension {
        var name: String
        var home: String
        var file: String
        var version: String
    }

    private let configuration: String
    private let listeners: [String]
    private let hosts: [Process]
    private let pools: [Pool]
    private let extensions: [Extension]
    private let crashes: Int

    init(_ loop: SupervisorLoop) {
        let now = Instant.now
        configuration = loop.options.absolutePath
        listeners = loop.listeners.map(\.description)
        hosts = loop.hosts.values.sorted { $0.id < $1.id }.map {
            Process(
                pid: $0.process.pid, state: "\($0.state)", seconds: now.seconds(since: $0.started))
        }
        pools = loop.pools.map { pool in
            let workers = pool.workers.sorted { $0.key < $1.key }.map { id, worker in
                Process(
                    pid: worker.process.pid,
                    state: pool.ledger.workers[id].map { Self.word($0.state) } ?? "ended",
                    seconds: now.seconds(since: worker.started))
            }
            return Pool(
                name: pool.settings.name, workers: workers,
                quarantine: pool.ledger.quarantineText(now))
        }
        extensions = loop.settings.extensions.map { entry in
            Extension(
                name: entry.name, home: Self.home(of: entry, loop),
                file: entry.verdict?.path ?? entry.library, version: entry.verdict?.version ?? "")
        }
        crashes = loop.records.count
    }

    private static func word(_ state: PoolWorker.State) -> String {
        switch state {
        case .connecting: "starting"
        case .spare: "spare"
        case .held: "serving"
        case .ending, .killed: "ending"
        }
    }

    private static func home(of entry: Settings.Extension, _ loop: SupervisorLoop) -> String {
        switch entry.verdict?.home {
        case .inProcess: "host"
        case .isolated where loop.strikes.isDemoted(entry.name, identity: entry.identity):
            "workers (demoted)"
        case .isolated: "workers"
        case .broken(let reason): "broken: \(reason)"
        case nil: "not tried yet"
        }
    }

    var text: String {
        var lines = ["configuration  \(configuration)"]
        lines.append("listening on   \(listeners.joined(separator: ", "))")
        for host in hosts {
            lines.append("host           \(host.pid)  \(host.state) for \(age(host))")
        }
        for entry in extensions {
            lines.append("extension      \(entry.name)  \(entry.home)  \(entry.file)")
        }
        for pool in pools {
            let workers = pool.workers.map { "\($0.pid) \($0.state) for \(age($0))" }
            let state = pool.quarantine.map { "  \($0)" } ?? ""
            let who = workers.isEmpty ? "no process" : workers.joined(separator: ", ")
            lines.append("pool           \(pool.name)  \(who)\(state)")
        }
        lines.append("crashes        \(crashes)\(crashes > 0 ? "  ('mortise crashes')" : "")")
        return lines.joined(separator: "\n") + "\n"
    }

    private func age(_ process: Process) -> String { PoolLedger.age(process.seconds) }

    var json: JSONValue {
        .object([
            ("configuration", .text(configuration)),
            ("listeners", .texts(listeners)),
            ("hosts", .list(hosts.map(Self.json))),
            (
                "extensions",
                .list(
                    extensions.map {
                        .object([
                            ("name", .text($0.name)), ("home", .text($0.home)),
                            ("file", .text($0.file)), ("version", .text($0.version)),
                        ])
                    })
            ),
            (
                "pools",
                .list(
                    pools.map {
                        .object([
                            ("name", .text($0.name)), ("quarantine", .optional($0.quarantine)),
                            ("workers", .list($0.workers.map(Self.json))),
                        ])
                    })
            ),
            ("crashes", .number(Int64(crashes))),
        ])
    }

    private static func json(_ process: Process) -> JSONValue {
        .object([
            ("pid", .number(Int64(process.pid))), ("state", .text(process.state)),
            ("milliseconds", .number(Int64(process.seconds * 1000))),
        ])
    }
}
