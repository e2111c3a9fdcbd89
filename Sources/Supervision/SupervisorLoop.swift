// The supervisor's one loop: whatever happens, happens here, one event at a time.
// SPDX-License-Identifier: Apache-2.0

import Configuration
import Control
import Platform

final class SupervisorLoop {
    enum Phase: Equatable {
        case serving
        /// SIGTERM came: hosts finish their requests.
        case draining
        /// All hosts are gone, or a second SIGTERM came: the workers end.
        case ending
    }

    /// What a descriptor in the poller belongs to.
    enum Watch {
        case signals
        case hostEnd(UInt64)
        case hostMessages(UInt64)
        case hostOutput(UInt64)
        case workerEnd(pool: UInt64, UInt64)
        case workerOutput(pool: UInt64, UInt64)
        case probes
        case control
        case `operator`(UInt64)
    }

    /// What is due at some time, without an event to tell of it.
    enum Timer: Hashable {
        case startHosts, sweepOrphans, stopAtOnce, checkHealth, checkPlaces, checkFiles, probes
        case startWorkers, writeLines, closeHeirless, checkUse, tellManager, showLife
        /// A host has not become ready, or has not left.
        case host(UInt64)
        case flush(UInt64)
        case pool(UInt64)
        case script(ObjectIdentifier)
        case `operator`(UInt64)
    }

    let options: Supervisor.Options
    let log = ErrorLog.shared
    let poller: Poller
    let signals: SignalDescriptor
    var folder: PrivateFolder
    var times = DueTimes<Timer>()
    private var watches: [UInt64: Watch] = [:]
    private var tokens: [Int32: UInt64] = [:]
    /// Descriptors that the kernel had no memory to watch, by token: asked after every second.
    private var unwatched: [UInt64: Int32] = [:]
    private var lastNumber: UInt64 = 0
    /// Lines about what is short: descriptors, memory, room for files.
    private var shortageLines = RateLimit(burst: 5, perSecond: 0.2)

    // The configuration in force.
    var settings: Settings
    var text: [UInt8]
    /// Of all configurations so far.
    var identities: Identities
    var listeners: [BoundListener] = []
    /// What the service manager has opened for a listener of the first configuration, see
    /// SupervisorLoop+Manager.swift.
    var inherited: [InheritedSocket]
    var manager: ManagerLine
    /// In the order of `settings.pools`.
    var pools: [PoolProcesses] = []
    /// All that have processes, those of older configurations too.
    var livingPools: [UInt64: PoolProcesses] = [:]
    var workerStarts = StartQueue(perSecond: 50, burst: 50)

    // The processes. See SupervisorLoop+Hosts.swift.
    var hosts: [UInt64: HostProcess] = [:]
    /// The one that serves the configuration in force; nil while none does.
    var current: UInt64?
    /// Which configuration, and which listeners, are in force: a number that grows.
    var configuration: UInt64 = 0
    var standby = StandbyRule()
    /// When the host is exchanged. See SupervisorLoop+Recycling.swift.
    var recycling = RecyclingRule()
    /// See SupervisorLoop+Faults.swift.
    var strikes = StrikeLedger()
    var records: [CrashRecord] = []
    /// See SupervisorLoop+Versions.swift.
    var versions = VersionHistory()
    var rollbacks: [String: ExtensionVerdict] = [:]
    var copies: [String: SharedDescriptor] = [:]
    /// Of files that are watched: as they were tried, and as they were at the last look.
    var tried: [String: String] = [:]
    var lastLook: [String: String] = [:]
    // See SupervisorLoop+Operators.swift.
    var control: SharedDescriptor?
    var operators: [UInt64: OperatorConnection] = [:]
    /// Who waits for the next reload, and who for the one under way.
    var reloadWaiters: [UInt64] = []
    var reloadAskers: [UInt64] = []
    var hasServed = false
    var handOvers = HandOverBroker()
    /// The connections of `handOvers`.
    var handedOver: [UInt64: SharedDescriptor] = [:]
    /// Connections that dead hosts have left and nobody has been offered yet.
    var heirless: [SharedDescriptor] = []
    /// Scripts that run, by number. See SupervisorLoop+Scripts.swift.
    var scripts: [Int32: ScriptProcess] = [:]
    /// Scripts that have ended and are not forgotten yet.
    var ended: [ObjectIdentifier: ScriptProcess] = [:]
    /// The numbers of all children that somebody here reaps.
    var known: Set<Int32> = []

    /// What dead hosts have left of their access logs. See SupervisorLoop+Lines.swift.
    var leftLines: [LeftLines] = []

    // See SupervisorLoop+Reload.swift.
    var probing: Probing?
    var reload: Reload?
    var reloadIsWanted = false

    // See SupervisorLoop+Stop.swift.
    var phase = Phase.serving
    var exitCode: Int32 = 0

    init(
        _ options: Supervisor.Options, _ configuration: ReadConfiguration
    ) throws(StartFailure) {
        self.options = options
        inherited = options.manager.sockets
        manager = ManagerLine(options.manager, log)
        text = configuration.text
        settings = configuration.settings
        identities = configuration.identities
        let othersEnter = configuration.identities.areOthers
        // Before anything else: a signal that comes now must wait until somebody reads it.
        signals = try Self.required { () throws(SystemError) in
            try SignalDescriptor([.terminate, .interrupt, .hangUp, .user1, .child])
        }
        Signal.ignore(.pipe)
        poller = try Self.required { () throws(SystemError) in try Poller() }
        try Self.required { () throws(SystemError) in try Orphans.adopt() }
        listeners = try BoundListener.bind(settings.listeners, inherited)
        folder = try Self.required { () throws(SystemError) in
            PrivateFolder.sweep(prefix: RuntimeFolder.prefix, in: PrivateFolder.runtimeParents)
            return try RuntimeFolder.make(othersEnter: othersEnter)
        }
        try Self.required { () throws(SystemError) in
            try poller.add(signals.descriptor.number, .readable, token: 0)
        }
        watches[0] = .signals
        closeUnnamedSockets()
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
        times[.checkHealth] = Instant.now.adding(seconds: Watchdog.interval)
        times[.checkPlaces] = Instant.now.adding(seconds: Self.placesInterval)
        times[.checkFiles] = Instant.now.adding(seconds: Self.watchInterval)
        times[.checkUse] = Instant.now.adding(seconds: Self.useInterval)
        showLife(.now)
        openControlSocket()
        beginStart()
        while true {
            act(.now)
            if hasEnded { break }
            if let event = poller.wait(milliseconds: times.next.pollTimeout()) {
                handle(watches[event.token], event.events)
            }
        }
        sweepAll()
        for listener in listeners { listener.removeFile() }
        folder.remove()
        log.log(.notice, "stopped")
        return exitCode
    }

    private var hasEnded: Bool {
        phase == .ending && hosts.isEmpty && livingPools.isEmpty && scripts.isEmpty
            && leftLines.isEmpty
    }

    /// A number never used before: for hosts, pools, workers, hand-overs and watches.
    func newNumber() -> UInt64 {
        lastNumber += 1
        return lastNumber
    }

    // MARK: Events

    func watch(_ descriptor: Int32, _ watch: Watch) {
        let token = newNumber()
        watches[token] = watch
        tokens[descriptor] = token
        do throws(SystemError) {
            try poller.add(descriptor, .readable, token: token)
        } catch {
            unwatched[token] = descriptor
            log.log(.error, "cannot watch a process: \(error); asking after it every second")
        }
    }

    /// Says also when the descriptor is writable, or does not any more.
    func watch(_ descriptor: Int32, isWritable: Bool) {
        guard let token = tokens[descriptor] else { return }
        try? poller.rearm(
            descriptor, isWritable ? [.readable, .writable] : .readable, token: token)
    }

    func unwatch(_ descriptor: Int32) {
        guard let token = tokens.removeValue(forKey: descriptor) else { return }
        watches[token] = nil
        unwatched[token] = nil
        try? poller.remove(descriptor)
    }

    private func askAfterUnwatched() {
        // One's end may end others: their descriptors are closed by then, or something else's.
        for (token, descriptor) in unwatched where unwatched[token] != nil {
            if (try? poller.add(descriptor, .readable, token: token)) != nil {
                unwatched[token] = nil
            }
            // What it tells of is looked up without waiting, so that it may be asked for at any time.
            handle(watches[token], [.readable, .writable])
        }
    }

    private func handle(_ watch: Watch?, _ events: Poller.Events) {
        switch watch {
        case .signals: readSignals()
        case .hostEnd(let id): hostEnded(id)
        case .hostMessages(let id):
            if events.contains(.writable) { flush(id) }
            if events != .writable { readMessage(of: id) }
        case .hostOutput(let id): readOutput(ofHost: id)
        case .workerEnd(let pool, let id): workerEnded(pool: pool, id)
        case .workerOutput(let pool, let id): readOutput(pool: pool, id)
        case .probes: advanceProbes()
        case .control: acceptOperator()
        case .operator(let id): serveOperator(id)
        case nil: break
        }
    }

    /// A line about what is short, of which there may be one for each message: some of them are held back.
    func logShortage(_ text: String, handler: String? = nil) {
        guard shortageLines.admits(at: .now) else { return }
        let more = shortageLines.takeSuppressed()
        log.log(
            .error, more > 0 ? "\(text) (and \(more) lines like it since)" : text, handler: handler)
    }

    private func readSignals() {
        // One at a time: while more wait, the descriptor stays readable.
        switch signals.next() {
        case .terminate, .interrupt: stop()
        case .hangUp: wantReload()
        case .user1: reopenLogs()
        case nil: break
        default:
            reapScripts()
            wantOrphanSweep()
        }
    }

    private func reopenLogs() {
        log.reopen()
        giveLogs(of: settings)
        for host in hosts.values { tell(host, .reopenLogs) }
    }

    // MARK: Time

    /// Does what is due: a few things, so that events get their turn.
    private func act(_ now: Instant) {
        for _ in 0..<64 {
            guard let (timer, due) = times.popDue(now) else { return }
            switch timer {
            case .startHosts: keepHosts(now)
            case .sweepOrphans: sweepOrphans()
            case .stopAtOnce: if phase == .draining { stopAtOnce("their time is over") }
            case .checkHealth:
                askAfterUnwatched()
                checkHealth(now, due: due)
            case .checkPlaces: checkPlaces(now)
            case .checkFiles: checkFiles(now)
            case .checkUse: checkUse(now)
            case .probes: advanceProbes()
            case .startWorkers: startWaitingWorkers(now)
            case .writeLines: writeLeftLines(now)
            case .closeHeirless: closeHeirless()
            case .tellManager: tellManager()
            case .showLife: showLife(now)
            case .host(let id): hostIsLate(id)
            case .flush(let id): flush(id)
            case .pool(let key): livingPools[key].map { apply(.tick, to: $0) }
            case .script(let id): forgetScript(id)
            case .operator(let id): operatorIsLate(id)
            }
        }
    }
}
