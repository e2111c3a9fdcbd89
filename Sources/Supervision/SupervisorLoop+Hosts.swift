// Hosts: started, listened to, replaced when they die.
// SPDX-License-Identifier: Apache-2.0

import Configuration
import Control
import Platform

extension SupervisorLoop {
    /// Seconds a host may take until it is ready.
    static let startPatience = 30.0

    // MARK: Starting

    /// Starts the host of the configuration in force: at first, and after a death.
    func startCurrentHost(_ now: Instant) {
        guard phase == .serving else { return }
        guard hostRate.take(now: now) else { return times[.startHost] = hostRate.next(now: now) }
        do throws(SystemError) {
            let host = try launchHost(
                now, text, settings, listeners, isReplacement: hasServed)
            host.pools = pools
            current = host.id
        } catch {
            hostBackoff.fail(now: now)
            times[.startHost] = max(hostBackoff.notBefore, now.adding(seconds: 0.1))
            let remedy = error.isShortage ? "; raise the limit on open files, or the memory" : ""
            log.log(
                .error, "a host could not be started: \(error); it is tried again\(remedy)")
        }
    }

    /// A host with its first messages under way: the spare one when there is one.
    ///
    /// - Parameter isReplacement: a host has served the same configuration already.
    func launchHost(
        _ now: Instant, _ text: [UInt8], _ settings: Settings, _ listeners: [BoundListener],
        isReplacement: Bool
    ) throws(SystemError) -> HostProcess {
        let configuration = SharedDescriptor(try Files.memory(named: "mortise-configuration"))
        try Files.writeAll(configuration.descriptor.number, text.span.bytes)
        let health = SharedDescriptor(try HealthPage.makeFile())
        let lines = SharedDescriptor(try GatheredLines.makeFile())
        let spare = hosts.values.first { $0.state == .spare }
        let host = if let spare { spare } else { try executeHost(now) }
        host.state = .starting
        host.started = now
        host.health = health
        host.lines = lines
        times[.host(host.id)] = now.adding(seconds: Self.startPatience)
        sendStart(to: host, configuration, settings, listeners, isReplacement)
        return host
    }

    private func sendStart(
        to host: HostProcess, _ configuration: SharedDescriptor, _ settings: Settings,
        _ listeners: [BoundListener], _ isReplacement: Bool
    ) {
        for (index, entry) in settings.extensions.enumerated() {
            if let verdict = entry.verdict { tell(host, .init(verdict, ofExtension: index)) }
        }
        let memory = [configuration, host.health!, host.lines!]
        var descriptors =
            memory.map { $0.descriptor.number } + listeners.map { $0.descriptor.number }
        let message = SupervisorMessage.start(
            configurationName: options.absolutePath, isReplacement: isReplacement
        ).encoded()
        while true {
            let batch = Array(descriptors.prefix(SupervisorMessage.startBatch))
            descriptors.removeFirst(batch.count)
            send(
                Outbox.Letter(
                    bytes: message, descriptors: batch, owners: memory + listeners), to: host)
            if batch.count < SupervisorMessage.startBatch { return }
        }
    }

    func startSpareHost(_ now: Instant) {
        guard options.keepsSpareHost, phase == .serving,
            !hosts.values.contains(where: { $0.state == .spare })
        else { return }
        do throws(SystemError) {
            _ = try executeHost(now)
        } catch {
            times[.startSpare] = now.adding(seconds: 10)
        }
    }

    private func executeHost(_ now: Instant) throws(SystemError) -> HostProcess {
        let ends = try Socket.pair(datagrams: true)
        let socket = MessageSocket(Descriptor(owning: ends.0))
        let hostEnd = Descriptor(owning: ends.1)
        var start = ProcessStart(program: options.programPath, arguments: options.hostArguments)
        start.environment = ChildEnvironment.strings
        start.environment.append(Array("\(RuntimeFolder.variable)=\(folder.path)".utf8))
        start.descriptors = [-1, 1, 2, hostEnd.number]
        start.keepsOpenFileLimit = true
        let host = HostProcess(
            id: newNumber(), process: try ChildProcess(start), socket: socket, started: now)
        hosts[host.id] = host
        known.insert(host.process.pid)
        watch(host.process.handle.number, .hostEnd(host.id))
        watch(socket.descriptor.number, .hostMessages(host.id))
        return host
    }

    // MARK: Listening

    func readMessage(of id: UInt64) {
        // One at a time: while more wait, the descriptor stays readable.
        if let host = hosts[id] { _ = readMessage(of: host) }
    }

    /// False when none waits or the host is beyond listening to.
    private func readMessage(of host: HostProcess) -> Bool {
        guard !host.isDeaf else { return false }
        do throws(SystemError) {
            guard let message = try host.socket.receive(wait: false) else { return false }
            var descriptors = message.descriptors
            defer {
                for descriptor in descriptors where descriptor >= 0 { closeDescriptor(descriptor) }
            }
            if message.bytes.isEmpty {
                stopListening(to: host)
                // Without its line it cannot go on. When it is dying already its end stays what it is.
                host.process.signalGroup(.kill)
                return false
            }
            return handle(message, &descriptors, of: host)
        } catch {
            killForNonsense(host, "\(error)")
            return false
        }
    }

    private func handle(
        _ message: MessageSocket.Message, _ descriptors: inout [Int32], of host: HostProcess
    ) -> Bool {
        do throws(ControlError) {
            if message.isCut {
                refuse(try HostMessage(decoding: message.bytes), of: host)
            } else {
                let decoded = try HostMessage(
                    decoding: message.bytes, descriptors: descriptors.count)
                carryOut(decoded, of: host, &descriptors)
            }
            return true
        } catch {
            killForNonsense(host, error.description)
            return false
        }
    }

    private func stopListening(to host: HostProcess) {
        host.isDeaf = true
        unwatch(host.socket.descriptor.number)
    }

    private func killForNonsense(_ host: HostProcess, _ reason: String) {
        stopListening(to: host)
        carryOut(handOvers.receiverIsBroken(host.id))
        guard host.state != .killed else { return }
        log.log(.error, "host \(host.process.pid) sent nonsense (\(reason)); it is killed")
        kill(host)
    }

    private func carryOut(
        _ message: HostMessage, of host: HostProcess, _ descriptors: inout [Int32]
    ) {
        switch message {
        case .adopted(let id, let accepted):
            carryOut(
                handOvers.answered(
                    id, by: host.id, accepted: accepted, receivers: receivers))
        case .accessLog:
            do throws(SystemError) {
                host.accessLog = try LogFile(Descriptor(owning: descriptors[0]))
            } catch {
                log.log(.error, "host \(host.process.pid) has no usable access log: \(error)")
            }
            descriptors[0] = -1
        case _ where host.state == .killed:
            // What it wants is of no use to it any more; what it has taken counts.
            break
        case .ready: hostIsReady(host)
        case .failed(let reason): host.complaint = "said: \(reason.prefix(2000))"
        case .wantWorker(let index):
            guard host.pools.indices.contains(index) else {
                return killForNonsense(host, "there is no pool \(index)")
            }
            apply(.wanted(by: host.id), to: host.pools[index])
        case .releaseWorker(let id, let reason):
            guard let pool = host.pools.first(where: { $0.workers[id] != nil }) else { return }
            apply(.released(id, by: host.id, reason), to: pool)
        case .startScript(let id, let script): startScript(id, script, host, &descriptors)
        case .endScript(let id): endScript(id, host)
        case .handOver(let id):
            let connection = Descriptor(owning: descriptors[0])
            descriptors[0] = -1
            offer(connection, id: id, by: host)
        case .drained:
            // It leaves by itself; what it still holds comes back with its end.
            break
        }
    }

    /// The message's descriptors could not be had: that message alone has failed.
    private func refuse(_ message: HostMessage, of host: HostProcess) {
        logShortage(
            "too many open files: a request of host \(host.process.pid) was refused; raise the limit"
                + " on open files")
        switch message {
        case .startScript(let id, _):
            tell(host, .scriptFailed(id: id, code: SystemError.tooManyOpenFiles))
        case .handOver(let id): tell(host, .handedOver(id: id, accepted: false))
        case .accessLog:
            // The one it had is another file now: last lines do not go there.
            host.accessLog = nil
        case .ready, .failed, .wantWorker, .releaseWorker, .endScript, .adopted, .drained: break
        }
    }

    private func hostIsReady(_ host: HostProcess) {
        guard host.state == .starting else { return }
        host.state = .serving
        host.readyNumber = newNumber()
        times[.host(host.id)] = .never
        if host.id == reload?.host {
            finishReload(host)
        } else {
            let places = listeners.map(\.description).joined(separator: ", ")
            let verb = hasServed ? "serving again" : "serving"
            log.log(.notice, "\(verb) on \(places) (host \(host.process.pid))")
        }
        hasServed = true
        for pool in pools { apply(.hostServes(host.id), to: pool) }
        times[.startSpare] = Instant.now.adding(seconds: 0.5)
    }

    // MARK: Ending

    func kill(_ host: HostProcess) {
        host.state = .killed
        host.process.signalGroup(.kill)
    }

    /// It has not become ready, or has not left.
    func hostIsLate(_ id: UInt64) {
        guard let host = hosts[id] else { return }
        switch host.state {
        case .starting:
            host.complaint = host.complaint ?? "was not ready in time"
            kill(host)
        case .leaving:
            if phase == .serving {
                log.log(
                    .warning, "host \(host.process.pid) still had requests; their time is over")
            }
            kill(host)
        case .spare, .serving, .killed: break
        }
    }

    /// Kills hosts that stand still. `due`: when this look should have been.
    func checkHealth(_ now: Instant, due: Instant) {
        times[.checkHealth] = now.adding(seconds: Watchdog.interval)
        let isLate = now.seconds(since: due) >= Watchdog.interval
        for host in hosts.values where host.state == .serving || host.state == .leaving {
            guard let page = host.health?.descriptor.number, !isLate else {
                host.watchdog.forget()
                continue
            }
            guard let finding = host.watchdog.compare(HealthPage.read(page)) else { continue }
            host.complaint = "\(finding)"
            if host.id != current {
                log.log(.error, "the leaving host \(host.process.pid) \(finding); it is killed")
            }
            kill(host)
        }
    }

    func hostEnded(_ id: UInt64) {
        guard let host = hosts[id], host.process.end() != nil else { return }
        // What it said before it died.
        while readMessage(of: host) {}
        stopListening(to: host)
        unwatch(host.process.handle.number)
        for timer in [Timer.host(id), .flush(id)] { times[timer] = .never }
        host.process.signalGroup(.kill)
        let end = ProcessEnd(host.process.reap() ?? .killed(signal: Signal.kill.rawValue))
        known.remove(host.process.pid)
        hosts[id] = nil
        takeLines(of: host)
        abandonScripts(of: host)
        let wasCurrent = current == id
        if wasCurrent { current = nil }
        for pool in Set(host.pools.map(\.key)).compactMap({ livingPools[$0] }) {
            apply(.hostGone(id), to: pool)
        }
        carryOut(handOvers.ended(id, receivers: receivers))
        wantOrphanSweep()
        if phase != .serving {
            if hosts.isEmpty { endWorkers() }
        } else if reload?.host == id {
            failReload("the new host \(host.complaint ?? "\(end)")")
        } else if wasCurrent {
            replace(host, end)
        } else {
            logDeparture(of: host, end)
        }
        if phase == .serving && reloadIsWanted { beginReload() }
    }

    private func replace(_ host: HostProcess, _ end: ProcessEnd) {
        let now = Instant.now
        let age = PoolLedger.age(now.seconds(since: host.started))
        let reason = host.complaint ?? "\(end)"
        // SIGKILL comes from outside and is no fault of the host's (see PoolWorker.isUnexpected).
        if end != .killed(signal: Signal.kill.rawValue) || host.complaint != nil {
            hostBackoff.fail(now: now)
        }
        guard hasServed || (host.complaint == nil && hostBackoff.failures < 3) else {
            log.logAloud(.error, "the server cannot start: the host \(reason)")
            exitCode = 1
            return stopAtOnce(nil)
        }
        let next = max(now, hostBackoff.notBefore)
        times[.startHost] = next
        let wait = next.seconds(since: now)
        let when = wait > 0 ? "in \(PoolLedger.age(wait))" : "now"
        log.log(
            .error,
            "host \(host.process.pid) \(reason) \(age) after its start; another starts \(when)")
    }

    private func logDeparture(of host: HostProcess, _ end: ProcessEnd) {
        if host.state == .spare {
            log.log(.warning, "the spare host \(host.process.pid) \(end)")
            times[.startSpare] = Instant.now.adding(seconds: 10)
        } else if end != .exited(code: 0) && host.state != .killed {
            log.log(.error, "the leaving host \(host.process.pid) \(end)")
        }
    }
}

extension SupervisorMessage {
    init(_ verdict: ExtensionVerdict, ofExtension index: Int) {
        let problem: String? = if case .broken(let reason) = verdict.home { reason } else { nil }
        self = .verdict(
            extension: index, path: verdict.path, isInProcess: verdict.home == .inProcess,
            problem: problem.map { String($0.prefix(4000)) })
    }
}
