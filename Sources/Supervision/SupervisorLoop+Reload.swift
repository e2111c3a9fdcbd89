// A new configuration: tried beside the old one, put in its place only when it serves.
// SPDX-License-Identifier: Apache-2.0

import Configuration
import Control
import Platform

/// A configuration whose host is starting.
struct Reload {
    var host: UInt64
    var settings: Settings
    var text: [UInt8]
    var plan: ReloadPlan
    var listeners: [BoundListener]
    var pools: [PoolProcesses]
}

extension SupervisorLoop {
    /// SIGHUP. While one reload is under way, any number of further ones are one that follows it.
    func wantReload() {
        guard phase == .serving else { return }
        // A server whose host cannot run is the one that needs a new configuration most.
        if reload == nil { beginReload() } else { reloadIsWanted = true }
    }

    private func beginReload() {
        reloadIsWanted = false
        do throws(ConfigurationFailure) {
            let (text, settings) = try ConfigurationFailure.read(options)
            try prepare(text, settings)
        } catch {
            for line in error.lines { log.log(.error, line) }
            log.log(.error, "the configuration was not changed: see above; the old one stays")
        }
    }

    private func prepare(_ text: [UInt8], _ new: Settings) throws(ConfigurationFailure) {
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
            host: 0, settings: new, text: text, plan: plan, listeners: opened, pools: started)
        do throws(SystemError) {
            let host = try launchHost(
                .now, name: options.absolutePath, text: text, opened)
            host.pools = started
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
                    bound.append(try BoundListener(setting))
                    opened.append(bound.last!)
                } catch {
                    for listener in bound { listener.removeFile() }
                    throw ConfigurationFailure(lines: [error.reason])
                }
            }
        }
        return opened
    }

    /// The new host serves: it takes over, and the old one leaves when its requests are done.
    func finishReload(_ host: HostProcess) {
        guard let reload else { return }
        self.reload = nil
        let old = current.flatMap { hosts[$0] }
        for index in reload.plan.closedListeners { listeners[index].removeFile() }
        let retired = reload.plan.retiredPools.map { pools[$0] }
        if reload.settings.logs.error != settings.logs.error {
            log.open(path: reload.settings.logs.error, process: "supervisor")
        }
        (settings, text) = (reload.settings, reload.text)
        (listeners, pools) = (reload.listeners, reload.pools)
        current = host.id
        hostStart = nil
        if let old { handOver(from: old, to: host) }
        for pool in retired { apply(.retired, to: pool) }
        log.log(.notice, "the new configuration is in force (host \(host.process.pid))")
        if reloadIsWanted { beginReload() }
    }

    private func handOver(from old: HostProcess, to new: HostProcess) {
        old.state = .leaving(until: Instant.now.adding(seconds: settings.timeouts.drain))
        do throws(SystemError) {
            let ends = try Socket.pair(datagrams: true)
            let oldEnd = Descriptor(owning: ends.0)
            let newEnd = Descriptor(owning: ends.1)
            tell(new, .takeOver, descriptors: [newEnd.number])
            tell(old, .handOver, descriptors: [oldEnd.number])
        } catch {
            // Without a way for its idle connections it closes them, like at the server's end.
            tell(old, .drain)
        }
    }

    func failReload(_ reason: String) {
        guard let reload else { return }
        self.reload = nil
        log.log(.error, "the configuration was not changed: \(reason); the old one stays")
        abandon(reload)
        if current == nil && hostStart == nil { hostStart = .now }
        if reloadIsWanted { beginReload() }
    }

    func abandon(_ reload: Reload) {
        for (index, entry) in reload.plan.listeners.enumerated() {
            if case .bind = entry { reload.listeners[index].removeFile() }
        }
        for (index, entry) in reload.plan.pools.enumerated() {
            if case .start = entry { apply(.retired, to: reload.pools[index]) }
        }
    }
}
