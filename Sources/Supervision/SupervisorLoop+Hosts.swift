// Hosts: started, told, listened to, replaced when they die.
// SPDX-License-Identifier: Apache-2.0

import Control
import Platform

extension SupervisorLoop {
    /// Seconds a host may take until it is ready.
    static let startPatience = 30.0

    // MARK: Starting

    /// Starts the host of the configuration in force: at first, and after a death.
    func startCurrentHost(_ now: Instant) {
        guard phase == .serving else { return hostStart = nil }
        guard hostRate.take(now: now) else { return hostStart = hostRate.next(now: now) }
        hostStart = nil
        do throws(SystemError) {
            let host = try launchHost(now, name: options.absolutePath, text: text, listeners)
            host.pools = pools
            current = host.id
        } catch {
            hostBackoff.fail(now: now)
            hostStart = max(hostBackoff.notBefore, now.adding(seconds: 0.1))
            log.log(.error, "a host could not be started: \(error)")
        }
    }

    /// A host with its first message sent: the spare one when there is one.
    func launchHost(
        _ now: Instant, name: String, text: [UInt8], _ listeners: [BoundListener]
    ) throws(SystemError) -> HostProcess {
        let spare = hosts.values.first { $0.state == .spare }
        let host =
            if let spare { spare } else { try executeHost(now) }
        host.state = .starting(until: now.adding(seconds: Self.startPatience))
        host.started = now
        do throws(SystemError) {
            try host.sendStart(
                name: name, text: text, listeners: listeners.map { $0.descriptor.number })
        } catch {
            kill(host)
            throw error
        }
        return host
    }

    func startSpareHost(_ now: Instant) {
        spareStart = nil
        guard options.keepsSpareHost, phase == .serving,
            !hosts.values.contains(where: { $0.state == .spare })
        else { return }
        do throws(SystemError) {
            _ = try executeHost(now)
        } catch {
            spareStart = now.adding(seconds: 10)
        }
    }

    private func executeHost(_ now: Instant) throws(SystemError) -> HostProcess {
        let ends = try Socket.pair(datagrams: true)
        let socket = MessageSocket(Descriptor(owning: ends.0))
        let hostEnd = Descriptor(owning: ends.1)
        var start = ProcessStart(program: options.programPath, arguments: options.hostArguments)
        start.environment = BaseEnvironment.variables.map { Array("\($0.0)=\($0.1)".utf8) }
        start.environment.append(Array("\(RuntimeFolder.variable)=\(folder.path)".utf8))
        start.descriptors = [-1, 1, 2, hostEnd.number]
        let host = HostProcess(
            id: newNumber(), process: try ChildProcess(start), socket: socket, started: now)
        hosts[host.id] = host
        known.insert(host.process.pid)
        watch(host.process.handle.number, .hostEnd(host.id))
        watch(socket.descriptor.number, .hostMessages(host.id))
        return host
    }

    // MARK: Talking

    /// A host that cannot be told something is killed: it would miss what it must know.
    func tell(_ host: HostProcess, _ message: SupervisorMessage, descriptors: [Int32] = []) {
        guard host.state != .killed else { return }
        do throws(SystemError) {
            try host.send(message, descriptors: descriptors)
        } catch {
            // A host that has just died cannot be written to: its end will be logged by its handle.
            if host.process.end() == nil {
                log.log(
                    .error,
                    "host \(host.process.pid) does not take messages (\(error)); it is killed")
            }
            kill(host)
        }
    }

    func kill(_ host: HostProcess) {
        host.state = .killed
        host.process.signalGroup(.kill)
    }

    func readMessages(of id: UInt64) {
        guard let host = hosts[id] else { return }
        // A few at a time: a host that talks without end must not keep us from the others.
        for _ in 0..<32 {
            guard readMessage(of: host) else { return }
        }
    }

    /// False when none waits or the host is beyond listening to.
    private func readMessage(of host: HostProcess) -> Bool {
        let message: MessageSocket.Message
        do throws(SystemError) {
            guard let next = try host.socket.receive(wait: false) else { return false }
            message = next
        } catch {
            distrust(host, "\(error)")
            return false
        }
        defer { for descriptor in message.descriptors { closeDescriptor(descriptor) } }
        guard !message.bytes.isEmpty else {
            // It closed its end; it must die now, because we cannot talk to it any more.
            unwatch(host.socket.descriptor.number)
            if host.process.end() == nil { kill(host) }
            return false
        }
        do throws(ControlError) {
            let decoded = try HostMessage(
                decoding: message.bytes, descriptors: message.descriptors.count)
            obey(decoded, of: host, message.descriptors)
            return true
        } catch {
            distrust(host, error.description)
            return false
        }
    }

    private func distrust(_ host: HostProcess, _ reason: String) {
        guard host.state != .killed else { return }
        log.log(.error, "host \(host.process.pid) sent nonsense (\(reason)); it is killed")
        unwatch(host.socket.descriptor.number)
        kill(host)
    }

    private func obey(_ message: HostMessage, of host: HostProcess, _ descriptors: [Int32]) {
        switch message {
        case .ready: hostIsReady(host)
        case .failed(let reason): host.complaint = String(reason.prefix(2000))
        case .wantWorker(let index):
            guard host.pools.indices.contains(index) else {
                return distrust(host, "there is no pool \(index)")
            }
            apply(.wanted(by: host.id), to: host.pools[index])
        case .releaseWorker(let id, let reason):
            guard let pool = host.pools.first(where: { $0.workers[id] != nil }) else { return }
            apply(.released(id, by: host.id, reason), to: pool)
        case .startScript(let id, let script): startScript(id, script, host, descriptors)
        case .endScript(let id): endScript(id, host)
        case .drained:
            // It leaves by itself; what it still holds comes back with its end.
            break
        }
    }

    private func hostIsReady(_ host: HostProcess) {
        guard case .starting = host.state else { return }
        host.state = .serving
        if host.id == reload?.host {
            finishReload(host)
        } else {
            let places = listeners.map(\.description).joined(separator: ", ")
            let verb = hasServed ? "serving again" : "serving"
            log.log(.notice, "\(verb) on \(places) (host \(host.process.pid))")
        }
        hasServed = true
        for pool in pools { apply(.hostServes(host.id), to: pool) }
        spareStart = Instant.now.adding(seconds: 0.5)
    }

    // MARK: Ending

    func checkHosts(_ now: Instant) {
        for host in hosts.values {
            switch host.state {
            case .starting(let until) where until <= now:
                host.complaint = host.complaint ?? "it was not ready in time"
                kill(host)
            case .leaving(let until) where until <= now:
                if phase == .serving {
                    log.log(
                        .warning, "host \(host.process.pid) still had requests; their time is over")
                }
                kill(host)
            case .starting, .leaving, .spare, .serving, .killed: break
            }
            for (id, script) in host.scripts where script.dismissAt.map({ $0 <= now }) == true {
                endScript(id, host)
            }
        }
    }

    func hostEnded(_ id: UInt64) {
        guard let host = hosts[id], host.process.end() != nil else { return }
        // What it said before it died.
        while host.state != .killed && readMessage(of: host) {}
        unwatch(host.socket.descriptor.number)
        unwatch(host.process.handle.number)
        host.process.signalGroup(.kill)
        let end = ProcessEnd(host.process.reap() ?? .killed(signal: Signal.kill.rawValue))
        known.remove(host.process.pid)
        hosts[id] = nil
        abandonScripts(of: host)
        let wasCurrent = current == id
        if wasCurrent { current = nil }
        for pool in Set(host.pools.map(\.key)).compactMap({ livingPools[$0] }) {
            apply(.hostGone(id), to: pool)
        }
        wantOrphanSweep()
        if phase != .serving {
            if hosts.isEmpty { endWorkers() }
        } else if reload?.host == id {
            failReload("the new host \(host.complaint ?? "\(end)")")
        } else if wasCurrent {
            replace(host, end)
        } else {
            noteDeparture(of: host, end)
        }
    }

    private func replace(_ host: HostProcess, _ end: ProcessEnd) {
        let now = Instant.now
        let age = PoolLedger.age(now.seconds(since: host.started))
        let reason = host.complaint ?? "\(end)"
        // SIGKILL comes from outside and is no fault of the host's (see PoolLedger.isUnexpected).
        if end != .killed(signal: Signal.kill.rawValue) || host.complaint != nil {
            hostBackoff.fail(now: now)
        }
        guard hasServed || (host.complaint == nil && hostBackoff.failures < 3) else {
            log.log(.error, "the server cannot start: the host said: \(reason)")
            exitCode = 1
            return stopAtOnce(nil)
        }
        hostStart = max(now, hostBackoff.notBefore)
        let wait = hostStart!.seconds(since: now)
        let next = wait > 0 ? "in \(PoolLedger.age(wait))" : "now"
        log.log(
            .error,
            "host \(host.process.pid) \(reason) \(age) after its start; another starts \(next)")
    }

    private func noteDeparture(of host: HostProcess, _ end: ProcessEnd) {
        if host.state == .spare {
            log.log(.warning, "the spare host \(host.process.pid) \(end)")
            spareStart = Instant.now.adding(seconds: 10)
        } else if end != .exited(code: 0) && host.state != .killed {
            log.log(.error, "the leaving host \(host.process.pid) \(end)")
        }
    }
}
