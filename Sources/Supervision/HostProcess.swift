// One host process as the supervisor sees it.
// SPDX-License-Identifier: Apache-2.0

import Control
import Platform

final class HostProcess {
    enum State: Equatable {
        /// Executed, and waits for its first message.
        case spare
        /// Has its configuration and listeners; must say `ready` in time.
        case starting
        case serving
        /// Finishes its requests: a newer host serves.
        case leaving
        case killed
    }

    let id: UInt64
    let process: ChildProcess
    let socket: MessageSocket
    /// When it was executed; for a spare one, when it got its configuration.
    var started: Instant
    var state = State.spare
    /// Grows from one host that says `ready` to the next.
    var readyNumber: UInt64 = 0
    /// Why it cannot serve, in its own words or in ours.
    var complaint: String?
    /// By the host's index of pools.
    var pools: [PoolProcesses] = []
    var scripts: [UInt64: ScriptProcess] = [:]
    var outbox = Outbox()
    /// Its socket is in the poller with these events.
    var isWaitingForRoom = false
    /// It has closed its end, or what it says is not believed any more.
    var isDeaf = false
    /// What it shows of its health; nil while it is a spare one.
    var health: SharedDescriptor?
    var watchdog = Watchdog()
    /// Where it gathers the lines of its access log (`GatheredLines`); nil while it is a spare one.
    var lines: SharedDescriptor?
    /// The file it writes them to; nil while it has none.
    var accessLog: LogFile?

    init(id: UInt64, process: ChildProcess, socket: MessageSocket, started: Instant) {
        self.id = id
        self.process = process
        self.socket = socket
        self.started = started
    }
}

extension ProcessEnd {
    init(_ end: ChildProcess.End) {
        switch end {
        case .exited(let code): self = .exited(code: code)
        case .killed(let signal): self = .killed(signal: signal)
        }
    }
}
