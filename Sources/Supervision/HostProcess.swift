// One host process as the supervisor sees it.
// SPDX-License-Identifier: Apache-2.0

import Control
import Platform

final class HostProcess {
    enum State: Equatable {
        /// Executed, and waits for its first message.
        case spare
        /// Has its configuration and listeners; must say `ready` in time.
        case starting(until: Instant)
        case serving
        /// Finishes its requests: a newer host serves, or the server stops.
        case leaving(until: Instant)
        case killed
    }

    let id: UInt64
    let process: ChildProcess
    let socket: MessageSocket
    /// When it was executed; for a spare one, when it got its configuration.
    var started: Instant
    var state = State.spare
    /// Why it cannot serve, in its own words.
    var complaint: String?
    /// By the host's index of pools.
    var pools: [PoolProcesses] = []
    var scripts: [UInt64: ScriptProcess] = [:]

    init(id: UInt64, process: ChildProcess, socket: MessageSocket, started: Instant) {
        self.id = id
        self.process = process
        self.socket = socket
        self.started = started
    }

    /// Sends without waiting long: a host that does not read is broken, and the others must not suffer.
    func send(_ message: SupervisorMessage, descriptors: [Int32] = []) throws(SystemError) {
        try socket.send(message.encoded(), descriptors: descriptors, milliseconds: 100)
    }

    /// The first message. Listeners beyond the first batch follow in `start` messages of their own; one
    /// with fewer than `startBatch` descriptors is the last.
    func sendStart(
        name: String, text: [UInt8], listeners: [Int32]
    ) throws(SystemError) {
        let file = try Files.memory(named: "mortise-configuration")
        var failure: SystemError?
        text.withUnsafeBytes { bytes in
            do throws(SystemError) {
                try Files.writeAll(file.number, bytes)
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        var rest = [file.number] + listeners
        while true {
            let now = Array(rest.prefix(SupervisorMessage.startBatch))
            rest.removeFirst(now.count)
            try send(.start(configurationName: name), descriptors: now)
            if now.count < SupervisorMessage.startBatch { return }
        }
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
