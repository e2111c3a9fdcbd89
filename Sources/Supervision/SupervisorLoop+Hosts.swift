// Hosts: started, listened to, replaced when they die.
// SPDX-License-Identifier: Apache-2.0

import Configuration
import Control
import Platform

extension SupervisorLoop {
    /// Seconds a host may take until it is ready.
    static let startPatience = 30.0

    // MARK: Starting

    /// Starts the hosts of the configuration in force that are to serve or to stand by.
    func keepHosts(_ now: Instant) {
        guard phase == .serving, probing?.isStart != true else { return }
        let wanted = standby.wanted(
            isServing: current != nil && !needsSuccessor, keepsSpare: settings.spare && hasServed,
            now: now)
        times[.startHosts] = standby.nextChange(now: now)
        for host in standbyHosts.filter({ $0.state == .ready }).dropFirst(max(1, wanted)) {
            dismiss(host)
        }
        while standbyHosts.count < wanted {
            guard standby.mayStart(now: now) else {
                return times[.startHosts] = max(standby.next(now: now), now.adding(seconds: 0.001))
            }
            do throws(SystemError) {
                try launchHost(
                    now, text, settings, listeners, pools, configuration, isReplacement: hasServed)
            } catch {
                standby.failed(now: now)
                times[.startHosts] = max(standby.next(now: now), now.adding(seconds: 0.1))
                let remedy =
                    error.isShortage ? "; raise the limit on open files, or the memory" : ""
                return log.log(
                    .error,
                    "a host could not be started: \(error); it is tried again\(remedy)")
            }
        }
    }

    /// Hosts that have the configuration in force and do not serve it yet.
    private var standbyHosts: [HostProcess] {
        hosts.values.filter {
            ($0.state == .starting || $0.state == .ready) && $0.configuration == configuration
        }
    }

    /// A host with its first messages under way.
    ///
    /// - Parameter isReplacement: a host has served the same configuration already.
    @discardableResult
    func launchHost(
        _ now: Instant, _ text: [UInt8], _ settings: Settings, _ listeners: [BoundListener],
        _ pools: [PoolProcesses], _ configuration: UInt64, isReplacement: Bool
    ) throws(SystemError) -> HostProcess {
        let file = SharedDescriptor(try Files.memory(named: "mortise-configuration"))
        try Files.writeAll(file.descriptor.number, text.span.bytes)
        giveLogs(of: settings)
        let host = try executeHost(now, configuration, settings)
        host.pools = pools
        host.extensions = settings.extensions
        host.scriptConfinements = settings.scripts.map { identities.confinement($0) }
        times[.host(host.id)] = now.adding(seconds: Self.startPatience)
        sendStart(to: host, file, settings, listeners, isReplacement)
        return host
    }

    private func sendStart(
        to host: HostProcess, _ configuration: SharedDescriptor, _ settings: Settings,
        _ listeners: [BoundListener], _ isReplacement: Bool
    ) {
        for (index, entry) in settings.extensions.enumerated() {
            if let verdict = entry.verdict { tell(host, .init(verdict, ofExtension: index)) }
        }
        let memory = [configuration, host.health, host.lines, host.faults]
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

    private func executeHost(
        _ now: Instant, _ configuration: UInt64, _ settings: Settings
    ) throws(SystemError) -> HostProcess {
        let ends = try Socket.pair(datagrams: true)
        let socket = MessageSocket(Descriptor(owning: ends.0))
        let hostEnd = Descriptor(owning: ends.1)
        let memory = try HostProcess.Memory()
        let pipe = try Files.pipe()
        let outputPipe = Descriptor(owning: pipe.read)
        let inputPipe = Descriptor(owning: pipe.write)
        Files.setNonBlocking(outputPipe.number)
        var start = ProcessStart(program: options.programPath, arguments: options.hostArguments)
        start.environment = ChildEnvironment.strings
        start.environment.append(Array("\(RuntimeFolder.variable)=\(folder.path)".utf8))
        start.descriptors = [-1, 1, 2, hostEnd.number, inputPipe.number]
        start.keepsOpenFileLimit = true
        start.confinement.identity = identities.identity(of: settings.account)
        let host = HostProcess(
            id: newNumber(), process: try ChildProcess(start), socket: socket,
            outputPipe: outputPipe, configuration: configuration, memory: memory, started: now)
        hosts[host.id] = host
        known.insert(host.process.pid)
        watch(host.process.handle.number, .hostEnd(host.id))
        watch(socket.descriptor.number, .hostMessages(host.id))
        watch(host.outputPipe, .hostOutput(host.id))
        return host
    }

    // MARK: Serving

    private func hostIsReady(_ host: HostProcess) {
        guard host.state == .starting else { return }
        host.state = .ready
        times[.host(host.id)] = .never
        standby.becameReady()
        if host.id == reload?.host {
            finishReload(host)
        } else {
            let before = current
            let verb = hasServed ? "serving again" : "serving"
            renewHost()
            if before == nil, current == host.id { serves(verb, host) }
        }
        keepHosts(.now)
    }

    /// The host that serves should not do so any longer.
    private var needsSuccessor: Bool {
        guard let host = current.flatMap({ hosts[$0] }) else { return false }
        return host.isSpoiled || host.configuration < configuration
    }

    /// Puts a host that stands by in the place of one that should not serve any longer, or of none.
    func renewHost() {
        let old = current.flatMap { hosts[$0] }
        guard phase == .serving, old == nil || needsSuccessor,
            let next = standbyHosts.filter({ $0.state == .ready }).min(by: { $0.id < $1.id }),
            hosts.values.count(where: { $0.state == .leaving }) < Self.mostLeaving
        else { return }
        takeOver(next)
        if let old { letGo(old) }
        keepHosts(.now)
    }

    /// It finishes its requests and leaves.
    func letGo(_ host: HostProcess) {
        guard host.state == .serving else { return }
        host.state = .leaving
        times[.host(host.id)] = Instant.now.adding(seconds: settings.timeouts.drain)
        tell(host, .leave)
    }

    /// The host serves the configuration in force from now on.
    private func takeOver(_ host: HostProcess) {
        serve(host)
        for pool in pools { apply(.hostServes(host.id), to: pool) }
    }

    func serve(_ host: HostProcess) {
        host.state = .serving
        host.started = .now
        host.servingNumber = newNumber()
        current = host.id
        hasServed = true
        tell(host, .serve)
        findHeirs()
    }

    /// Hosts that stand by for a configuration that is not in force any more: nobody needs them.
    func dismissOutdated() {
        for host in hosts.values
        where (host.state == .starting || host.state == .ready)
            && host.configuration < configuration
        { dismiss(host) }
    }

    /// It has no connection, so it leaves at once.
    private func dismiss(_ host: HostProcess) {
        host.state = .leaving
        times[.host(host.id)] = Instant.now.adding(seconds: Self.startPatience)
        tell(host, .leave)
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

    func killForNonsense(_ host: HostProcess, _ reason: String) {
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
            findHeirs()
        case .bequeathed:
            inherit(descriptors.map { SharedDescriptor(Descriptor(owning: $0)) })
            descriptors = []
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
        case .faulted: hostFaulted(host)
        case .callFaulted(let index, let end, let request):
            callFaulted(index, end, request, of: host)
        case .failed(let reason): host.complaint = "said: \(reason.prefix(2000))"
        case .wantWorker(let index):
            guard host.pools.indices.contains(index) else {
                return killForNonsense(host, "there is no pool \(index)")
            }
            apply(.wanted(by: host.id), to: host.pools[index])
        case .releaseWorker(let id, let reason):
            guard let pool = host.pools.first(where: { $0.workers[id] != nil }) else { return }
            apply(.released(id, by: host.id, reason), to: pool)
        case .callOverdue(let index, let request, let seconds, let isTooMuch):
            callOverdue(index, request, seconds, isTooMuch, of: host)
        case .healed(let index):
            if host.pools.indices.contains(index) { apply(.healed, to: host.pools[index]) }
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
        case .ready, .failed, .wantWorker, .releaseWorker, .endScript, .adopted, .drained, .faulted,
            .bequeathed, .callFaulted, .healed, .callOverdue:
            break
        }
    }

    // MARK: Ending

    func kill(_ host: HostProcess) {
        host.state = .killed
        host.process.signalGroup(.kill)
    }

    /// Seconds in which a host that has said it dies has died.
    private static let lastWords = 3.0

    /// It dies, which may take a while: somebody else serves now. What it was doing goes on as far as it goes.
    private func hostFaulted(_ host: HostProcess) {
        host.hasFaulted = true
        times[.host(host.id)] = Instant.now.adding(seconds: Self.lastWords)
        guard current == host.id else { return }
        current = nil
        host.hasFallen = true
        standby.died(now: .now)
        judgeEarly(host)
        renewHost()
        keepHosts(.now)
    }

    /// It has not become ready, or has not left.
    func hostIsLate(_ id: UInt64) {
        guard let host = hosts[id] else { return }
        if host.hasFaulted { return kill(host) }
        switch host.state {
        case .starting:
            host.complaint = host.complaint ?? "was not ready in time"
            kill(host)
        case .leaving:
            if phase == .serving && host.hasServed {
                log.log(
                    .warning, "host \(host.process.pid) still had requests; their time is over")
            }
            kill(host)
        case .ready, .serving, .killed: break
        }
    }

    /// Kills hosts that stand still. `due`: when this look should have been.
    func checkHealth(_ now: Instant, due: Instant) {
        times[.checkHealth] = now.adding(seconds: Watchdog.interval)
        let isLate = now.seconds(since: due) >= Watchdog.interval
        for host in hosts.values
        where host.hasServed && (host.state == .serving || host.state == .leaving) {
            guard !isLate else {
                host.watchdog.forget()
                continue
            }
            let reading = HealthPage.read(host.health.descriptor.number)
            guard let finding = host.watchdog.compare(reading) else { continue }
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
        endOutput(of: host)
        unwatch(host.process.handle.number)
        for timer in [Timer.host(id), .flush(id)] { times[timer] = .never }
        host.process.signalGroup(.kill)
        let end = ProcessEnd(host.process.reap() ?? .killed(signal: Signal.kill.rawValue))
        known.remove(host.process.pid)
        hosts[id] = nil
        takeLines(of: host)
        abandonScripts(of: host)
        let wasCurrent = current == id || host.hasFallen
        if current == id { current = nil }
        for pool in Set(host.pools.map(\.key)).compactMap({ livingPools[$0] }) {
            apply(.hostGone(id), to: pool)
        }
        carryOut(handOvers.ended(id, receivers: receivers))
        findHeirs()
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
        // There is room for one more that leaves.
        renewHost()
        keepHosts(.now)
        if phase == .serving && reloadIsWanted { beginReload() }
    }

    /// The host that served has died: one that stands by takes over.
    private func replace(_ host: HostProcess, _ end: ProcessEnd) {
        standby.died(now: .now)
        hostDied(host, end) {
            renewHost()
            let successor = current.flatMap { hosts[$0] }
            if successor == nil { tellManager { $0.says("the host has died; another starts") } }
            return successor.map { "host \($0.process.pid), which stood by, takes over" }
                ?? "another starts now"
        }
    }

    private func logDeparture(of host: HostProcess, _ end: ProcessEnd) {
        guard host.state != .leaving else {
            if end != .exited(code: 0) {
                hostDied(host, end) { "it was leaving, and others serve" }
            }
            return
        }
        guard host.configuration == configuration, !host.hasServed else { return }
        if host.complaint == nil && end == .killed(signal: Signal.kill.rawValue) {
            // From outside: no fault of the host's.
            return log.log(.warning, "host \(host.process.pid), which stood by, \(end)")
        }
        hostFailed(host, end)
    }

    /// It never served: another one would do no better at once.
    private func hostFailed(_ host: HostProcess, _ end: ProcessEnd) {
        let reason = host.complaint ?? "\(end)"
        let now = Instant.now
        standby.failed(now: now)
        guard hasServed || (host.complaint == nil && standby.failures < 3) else {
            log.logAloud(.error, "the server cannot start: the host \(reason)")
            exitCode = 1
            return stopAtOnce(nil)
        }
        let wait = standby.next(now: now).seconds(since: now)
        let when = wait > 0 ? "in \(PoolLedger.age(wait))" : "now"
        let what = current == nil ? "host" : "stand-by host"
        if host.hasFaulted { return hostDied(host, end) { "another starts \(when)" } }
        log.log(.error, "\(what) \(host.process.pid) \(reason); another starts \(when)")
    }
}

extension SupervisorMessage {
    init(_ verdict: ExtensionVerdict, ofExtension index: Int) {
        let problem: String? = if case .broken(let reason) = verdict.home { reason } else { nil }
        self = .verdict(
            extension: index, path: verdict.path, copy: verdict.copy,
            isInProcess: verdict.home == .inProcess,
            problem: problem.map { String($0.prefix(4000)) })
    }
}
