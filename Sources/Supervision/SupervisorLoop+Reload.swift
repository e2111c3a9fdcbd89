// A new configuration: tried beside the old one, put in its place only when it serves.
// SPDX-License-Identifier: Apache-2.0

import Configuration
import Control
import Platform

/// A configuration whose extensions are being loaded by probes: the first one, or a new one.
struct Probing {
    var probe: ExtensionProbe
    var settings: Settings
    var text: [UInt8]
    var cause: Cause

    enum Cause: Equatable {
        case start, reload
        /// Files of the configuration in force have changed; which, for the log.
        case newFile(String)
    }
    var isStart: Bool { cause == .start }
}

/// A configuration whose host is starting.
struct Reload {
    var host: UInt64
    var settings: Settings
    var text: [UInt8]
    var plan: ReloadPlan
    var listeners: [BoundListener]
    var pools: [PoolProcesses]
    /// See `SupervisorLoop.configuration`.
    var configuration: UInt64
    /// The file was read for it.
    var isByRequest = false
    /// What is in force then, for the log.
    var what = "the new configuration"
}

extension SupervisorLoop {
    /// Hosts that may be leaving when a reload begins: each is a whole server with its own threads.
    static let mostLeaving = 16

    var changeIsUnderWay: Bool { probing != nil || reload != nil }

    // MARK: Beginning

    /// The listeners are open: clients wait in their queues while the extensions are probed.
    func beginStart() {
        do throws(SystemError) {
            try beginProbing(settings, text, .start)
        } catch {
            log.log(.error, "the server cannot start: \(error)")
            exitCode = 1
            stopAtOnce(nil)
        }
    }

    /// SIGHUP. While one reload is under way, any number of further ones are one that follows it.
    func wantReload() {
        guard phase == .serving else { return }
        // A server whose host cannot run is the one that needs a new configuration most.
        reloadIsWanted = true
        tellManager { $0.reloadIsWanted(now: .now) }
        beginReload()
    }

    /// Once nothing else is under way; asked for again when that has changed.
    func beginReload() {
        let leaving = hosts.values.count { $0.state == .leaving }
        guard !changeIsUnderWay, leaving < Self.mostLeaving else { return }
        reloadIsWanted = false
        reloadBegins()
        do throws(ConfigurationFailure) {
            let read = try ReadConfiguration(options)
            try admit(read.identities)
            do throws(SystemError) {
                try beginProbing(read.settings, read.text, .reload)
            } catch {
                throw ConfigurationFailure(lines: ["its extensions cannot be probed: \(error)"])
            }
        } catch {
            refuseReload(error)
        }
    }

    /// The accounts of a new configuration, whose processes must be able to enter the runtime folder.
    private func admit(_ new: Identities) throws(ConfigurationFailure) {
        guard folder.othersEnter || !new.areOthers else {
            throw ConfigurationFailure(lines: [
                "it names accounts, and others may not enter the runtime folder \(folder.path), which was"
                    + " made without any: stop the server and start it again"
            ])
        }
        identities.add(new)
    }

    private func refuseReload(_ failure: ConfigurationFailure) {
        for line in failure.lines { log.log(.error, line) }
        log.log(.error, "the configuration was not changed: see above; the old one stays")
        reloadEnded(
            OperatorAnswer(isGood: false, failure.lines.map { "\($0)\n" }.joined()))
    }

    // MARK: Probing

    func beginProbing(
        _ settings: Settings, _ text: [UInt8], _ cause: Probing.Cause
    ) throws(SystemError) {
        noteFiles(of: settings)
        let probe = try ExtensionProbe(
            settings, identities, program: options.programPath, copies: folder.path)
        probing = Probing(probe: probe, settings: settings, text: text, cause: cause)
        watch(probe.run.descriptor, .probes)
        advanceProbes()
    }

    func advanceProbes() {
        guard let run = probing?.probe.run else { return }
        let before = run.processes
        run.advance()
        known.subtract(before)
        known.formUnion(run.processes)
        // An ended one may have left something behind.
        if !before.isSubset(of: run.processes) { wantOrphanSweep() }
        times[.probes] = run.deadline
        if run.isDone { finishProbing() }
    }

    private func finishProbing() {
        guard let probing else { return }
        endProbing()
        var new = probing.settings
        for (index, verdict) in probing.probe.verdicts.enumerated() {
            new.apply(verdict, toExtension: index)
        }
        if !probing.isStart { keepWorkingVersions(in: &new) }
        _ = demote(in: &new)
        keepCopies(of: new)
        probed: if probing.isStart {
            settings = new
            pools = settings.pools.map { startPool($0, of: settings, replacing: nil) }
            times[.startHosts] = .now
        } else {
            do throws(ConfigurationFailure) {
                if case .newFile(let what) = probing.cause {
                    // Nothing to be done when the files are as bad as they were, or as good.
                    guard new != settings else { break probed }
                    try prepare(probing.text, new)
                    reload?.what = what
                } else {
                    try prepare(probing.text, new)
                    reload?.isByRequest = true
                }
            } catch {
                refuseReload(error)
            }
        }
        beginRollback()
        if reloadIsWanted { beginReload() }
    }

    /// Processes that still run are killed with the run.
    func endProbing() {
        guard let run = probing?.probe.run else { return }
        unwatch(run.descriptor)
        times[.probes] = .never
        known.subtract(run.processes)
        probing = nil
    }

    // MARK: Starting

    /// The same configuration with a new host, because its listeners are new.
    func replaceHost() {
        do throws(ConfigurationFailure) {
            try prepare(text, settings, isReplacement: true)
            reload?.what = "the same configuration with new listeners"
        } catch {
            for line in error.lines { log.log(.error, line) }
        }
    }

    func prepare(
        _ text: [UInt8], _ new: Settings, isReplacement: Bool = false
    ) throws(ConfigurationFailure) {
        let plan = ReloadPlan(from: settings, to: new)
        let opened = try open(plan)
        let started = plan.pools.enumerated().map { index, pool in
            switch pool {
            case .keep(let old): pools[old]
            case .start(let old):
                startPool(new.pools[index], of: new, replacing: old.map { pools[$0] })
            }
        }
        var reload = Reload(
            host: 0, settings: new, text: text, plan: plan, listeners: opened, pools: started,
            configuration: newNumber())
        do throws(SystemError) {
            let host = try launchHost(
                .now, text, new, opened, started, reload.configuration,
                isReplacement: isReplacement)
            reload.host = host.id
            self.reload = reload
        } catch {
            abandon(reload)
            throw ConfigurationFailure(lines: ["a new host could not be started: \(error)"])
        }
    }

    /// The new configuration's listeners: those in both are the same open sockets.
    private func open(_ plan: ReloadPlan) throws(ConfigurationFailure) -> [BoundListener] {
        var opened: [BoundListener] = []
        var bound: [BoundListener] = []
        for entry in plan.listeners {
            switch entry {
            case .keep(let index): opened.append(listeners[index])
            case .bind(let setting):
                do throws(StartFailure) {
                    bound.append(try BoundListener(setting, inherited))
                    opened.append(bound.last!)
                } catch {
                    for listener in bound { listener.removeFile() }
                    throw ConfigurationFailure(lines: [reason(of: error, setting, plan)])
                }
            }
        }
        return opened
    }

    /// The old configuration's listeners are open until the new one is in force.
    private func reason(
        of failure: StartFailure, _ setting: Settings.Listener, _ plan: ReloadPlan
    ) -> String {
        guard case .tcp(let host, let port) = setting else { return failure.reason }
        for index in plan.closedListeners {
            guard case .tcp(_, port) = settings.listeners[index] else { continue }
            let own = listeners[index].description
            return "cannot listen on \(host):\(port) while this server listens on \(own): take"
                + " that out and reload, then add the new one and reload; or restart"
        }
        return failure.reason
    }

    // MARK: Ending

    /// The new host serves: it takes over, and the old one leaves when its requests are done.
    func finishReload(_ host: HostProcess) {
        guard let reload else { return }
        self.reload = nil
        let old = current.flatMap { hosts[$0] }
        for index in reload.plan.closedListeners { close(listeners[index]) }
        let retired = reload.plan.retiredPools.map { pools[$0] }
        if reload.settings.logs.error != settings.logs.error {
            log.open(path: reload.settings.logs.error, process: "supervisor")
        }
        versions.changed(from: settings, to: reload.settings, now: .now)
        (settings, text) = (reload.settings, reload.text)
        (listeners, pools) = (reload.listeners, reload.pools)
        configuration = reload.configuration
        serve(host)
        if let old { letGo(old) }
        dismissOutdated()
        retire(retired)
        for pool in pools { apply(.hostServes(host.id), to: pool) }
        let line = "\(reload.what) is in force (host \(host.process.pid))"
        log.log(.notice, line)
        if reload.isByRequest { reloadEnded(OperatorAnswer("\(line)\n")) }
        tellManager { $0.serves(line) }
        beginRollback()
        if reloadIsWanted { beginReload() }
    }

    private func close(_ listener: BoundListener) {
        listener.close()
        guard let socket = listener.inherited else { return }
        log.log(
            .warning,
            "nobody listens on \(listener.description) any more, but the service manager keeps its socket"
                + " '\(socket.name)' open: who comes waits; stop that socket too")
    }

    func failReload(_ reason: String) {
        guard let reload else { return }
        self.reload = nil
        let line = "the configuration was not changed: \(reason); the old one stays"
        log.log(.error, line)
        if reload.isByRequest { reloadEnded(OperatorAnswer(isGood: false, "\(line)\n")) }
        abandon(reload)
        beginRollback()
        keepHosts(.now)
    }

    func abandon(_ reload: Reload) {
        for (index, entry) in reload.plan.listeners.enumerated() {
            if case .bind = entry { reload.listeners[index].removeFile() }
        }
        let started = reload.plan.pools.indices.filter {
            if case .start = reload.plan.pools[$0] { true } else { false }
        }
        retire(started.map { reload.pools[$0] })
    }

    /// No minimum is kept, and workers that nobody waits for are not started any more.
    func retire(_ pools: [PoolProcesses]) {
        for pool in pools { apply(.retired, to: pool) }
        let keys = Set(pools.map(\.key))
        cancelWorkerStarts { keys.contains($0) }
    }
}
