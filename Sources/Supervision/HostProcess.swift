// One host process as the supervisor sees it.
// SPDX-License-Identifier: Apache-2.0

import Configuration
import Control
import Platform

final class HostProcess {
    enum State: Equatable {
        /// Has its configuration and listeners; must say `ready` in time.
        case starting
        /// Stands by: it would serve within a millisecond.
        case ready
        case serving
        /// Finishes its requests: a newer host serves.
        case leaving
        case killed
    }

    let id: UInt64
    let process: ChildProcess
    let socket: MessageSocket
    /// The read end of its standard output and error; -1 when it is closed.
    private(set) var outputPipe: Int32
    var output = WorkerOutput()
    var outputLimit = RateLimit(burst: 200, perSecond: 20)
    /// Which configuration it was started with, see `SupervisorLoop.configuration`.
    let configuration: UInt64
    /// When it was executed; of one that serves, when it began to.
    var started: Instant
    var state = State.starting
    /// Grows from one host that is told to serve to the next.
    var servingNumber: UInt64 = 0
    /// Why it cannot serve, in its own words or in ours.
    var complaint: String?
    /// By the host's index of pools.
    var pools: [PoolProcesses] = []
    /// Those of its configuration.
    var extensions: [Settings.Extension] = []
    /// By the number in a script's message.
    var scriptConfinements: [Confinement] = []
    /// A call of an extension has left it in a state nobody knows: it is replaced without haste.
    var isSpoiled = false
    /// It has said that it dies.
    var hasFaulted = false
    /// What its fault has meant for who did it, when that was clear before its end.
    var consequences: [String]?
    /// It was the one that served until then.
    var hasFallen = false
    var scripts: [UInt64: ScriptProcess] = [:]
    var outbox = Outbox()
    /// Its socket is in the poller with these events.
    var isWaitingForRoom = false
    /// It has closed its end, or what it says is not believed any more.
    var isDeaf = false
    /// What it shows of its health.
    let health: SharedDescriptor
    var watchdog = Watchdog()
    /// Where it gathers the lines of its access log (`GatheredLines`).
    let lines: SharedDescriptor
    /// What it writes down of its faults (`FaultPage`).
    let faults: SharedDescriptor
    /// The file it writes them to; nil while it has none.
    var accessLog: LogFile?

    init(
        id: UInt64, process: ChildProcess, socket: MessageSocket, outputPipe: consuming Descriptor,
        configuration: UInt64, memory: Memory, started: Instant
    ) {
        self.outputPipe = outputPipe.take()
        self.id = id
        self.process = process
        self.socket = socket
        self.configuration = configuration
        health = memory.health
        lines = memory.lines
        faults = memory.faults
        self.started = started
    }

    deinit { closeOutput() }

    func closeOutput() {
        if outputPipe >= 0 { closeDescriptor(outputPipe) }
        outputPipe = -1
    }

    /// What a host and its supervisor both have.
    struct Memory {
        let health: SharedDescriptor
        let lines: SharedDescriptor
        let faults: SharedDescriptor

        init() throws(SystemError) {
            health = SharedDescriptor(try HealthPage.makeFile())
            lines = SharedDescriptor(try GatheredLines.makeFile())
            faults = SharedDescriptor(try FaultPage.makeFile())
        }
    }

    /// It has begun to serve, and has not ended.
    var hasServed: Bool { servingNumber > 0 }
}

extension ProcessEnd {
    init(_ end: ChildProcess.End) {
        switch end {
        case .exited(let code): self = .exited(code: code)
        case .killed(let signal): self = .killed(signal: signal)
        }
    }
}
