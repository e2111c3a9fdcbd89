// The supervisor's one loop: whatever happens, happens here, one event at a time.
// SPDX-License-Identifier: Apache-2.0

import Configuration
import Control
import Platform

final class SupervisorLoop {
    enum Phase: Equatable {
        case serving
        /// SIGTERM came: hosts finish their requests, at most until then.
        case draining(until: Instant)
        /// All hosts are gone, or a second SIGTERM came: the workers end.
        case ending
    }

    /// What a descriptor in the poller belongs to.
    enum Watch {
        case signals
        case hostEnd(UInt64)
        case hostMessages(UInt64)
        case workerEnd(pool: UInt64, UInt64)
        case workerOutput(pool: UInt64, UInt64)
        case scriptEnd(host: UInt64, UInt64)
    }

    let options: Supervisor.Options
    let log = ErrorLog.shared
    let poller: Poller
    let signals: SignalDescriptor
    let folder: PrivateFolder
    var watches: [UInt64: Watch] = [:]
    private var tokens: [Int32: UInt64] = [:]
    private var lastNumber: UInt64 = 0

    // The configuration in force.
    var settings: Settings
    var text: [UInt8]
    var listeners: [BoundListener] = []
    /// In the order of `settings.pools`.
    var pools: [PoolProcesses] = []
    /// All that have processes, those of older configurations too.
    var livingPools: [UInt64: PoolProcesses] = [:]

    // The processes. See SupervisorLoop+Hosts.swift.
    var hosts: [UInt64: HostProcess] = [:]
    var current: UInt64?
    var hostBackoff = Backoff(longest: 5)
    var hostRate = StartRate(perSecond: 10, burst: 10)
    /// A host is to be started then.
    var hostStart: Instant?
    var spareStart: Instant?
    var hasServed = false
    /// Scripts whose host has died, until they have too.
    var abandoned: [UInt64: ScriptProcess] = [:]
    /// The numbers of all children that have a handle.
    var known: Set<Int32> = []
    var orphanSweep: Instant?

    // See SupervisorLoop+Reload.swift.
    var reload: Reload?
    var reloadIsWanted = false

    // See SupervisorLoop+Stop.swift.
    var phase = Phase.serving
    var exitCode: Int32 = 0

    init(
        _ options: Supervisor.Options, text: [UInt8], settings: Settings
    ) throws(StartFailure) {
        self.options = options
        self.text = text
        self.settings = settings
        // Before anything else: a signal that comes now must wait until somebody reads it.
        signals = try Self.required { () throws(SystemError) in
            try SignalDescriptor([.terminate, .interrupt, .hangUp, .user1, .child])
        }
        Signal.ignore(.pipe)
        poller = try Self.required { () throws(SystemError) in try Poller() }
        try Self.required { () throws(SystemError) in try Orphans.adopt() }
        listeners = try BoundListener.bind(settings.listeners)
        folder = try Self.required { () throws(SystemError) in
            PrivateFolder.sweep(prefix: "mortise", in: PrivateFolder.runtimeParents)
            return try PrivateFolder(
                prefix: "mortise-\(Exit.processNumber)-", in: PrivateFolder.runtimeParents)
        }
        try Self.required { () throws(SystemError) in
            try poller.add(signals.descriptor.number, .readable, token: 0)
        }
        watches[0] = .signals
    }

    private static func required<Value: ~Copyable>(
        _ body: () throws(SystemError) -> Value
    ) throws(StartFailure) -> Value {
        do throws(SystemError) {
            return try body()
        } catch {
            throw StartFailure(reason: "the server cannot start: \(error)")
        }
    }

    /// Runs until everything has ended; the exit code.
    func run() -> Int32 {
        pools = settings.pools.map { startPool($0, of: settings, replacing: nil) }
        hostStart = .now
        while true {
            act(on: .now)
            if phase == .ending && hosts.isEmpty && livingPools.isEmpty && abandoned.isEmpty {
                break
            }
            if let event = poller.wait(milliseconds: deadline.pollTimeout()) {
                handle(watches[event.token])
            }
        }
        sweepAll()
        for listener in listeners { listener.removeFile() }
        folder.remove()
        log.log(.notice, "stopped")
        return exitCode
    }

    /// A number never used before: for hosts, pools, workers and watches.
    func newNumber() -> UInt64 {
        lastNumber += 1
        return lastNumber
    }

    func watch(_ descriptor: Int32, _ watch: Watch) {
        let token = newNumber()
        do throws(SystemError) {
            try poller.add(descriptor, .readable, token: token)
            watches[token] = watch
            tokens[descriptor] = token
        } catch {
            // Out of memory for one more watch: the process would be lost to us.
            fatalError("epoll_ctl: \(error)")
        }
    }

    func unwatch(_ descriptor: Int32) {
        guard let token = tokens.removeValue(forKey: descriptor) else { return }
        watches[token] = nil
        try? poller.remove(descriptor)
    }

    private func handle(_ watch: Watch?) {
        switch watch {
        case .signals: readSignals()
        case .hostEnd(let id): hostEnded(id)
        case .hostMessages(let id): readMessages(of: id)
        case .workerEnd(let pool, let id): workerEnded(pool: pool, id)
        case .workerOutput(let pool, let id): readOutput(pool: pool, id)
        case .scriptEnd(let host, let id): scriptEnded(host: host, id)
        case nil: break
        }
    }

    private func readSignals() {
        while let signal = signals.next() {
            switch signal {
            case .terminate, .interrupt: stop()
            case .hangUp: wantReload()
            case .user1: reopenLogs()
            default: wantOrphanSweep()
            }
        }
    }

    private func reopenLogs() {
        log.reopen()
        for host in hosts.values where host.state != .spare { tell(host, .reopenLogs) }
    }

    /// When the next thing is due that no descriptor tells of.
    private var deadline: Instant {
        let now = Instant.now
        var deadline = Instant.never
        for pool in livingPools.values { deadline = min(deadline, pool.ledger.deadline(now: now)) }
        for due in [hostStart, spareStart, orphanSweep] {
            if let due { deadline = min(deadline, due) }
        }
        for host in hosts.values {
            switch host.state {
            case .starting(let until), .leaving(let until): deadline = min(deadline, until)
            case .spare, .serving, .killed: break
            }
            for script in host.scripts.values {
                if let due = script.dismissAt { deadline = min(deadline, due) }
            }
        }
        if case .draining(let until) = phase { deadline = min(deadline, until) }
        return deadline
    }

    /// Does what is due.
    private func act(on now: Instant) {
        for pool in livingPools.values where pool.ledger.deadline(now: now) <= now {
            apply(.tick, to: pool)
        }
        if let due = hostStart, due <= now { startCurrentHost(now) }
        if let due = spareStart, due <= now { startSpareHost(now) }
        if let due = orphanSweep, due <= now { sweepOrphans() }
        checkHosts(now)
        if case .draining(let until) = phase, until <= now { stopAtOnce("their time is over") }
    }
}
