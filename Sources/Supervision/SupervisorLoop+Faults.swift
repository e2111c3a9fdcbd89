// Faults of extensions: found out, written down, acted on.
// SPDX-License-Identifier: Apache-2.0

import Configuration
import Control
import Platform

extension SupervisorLoop {
    /// Records that are kept.
    static let mostRecords = 200

    // MARK: In the host

    /// What is known of a host's fault, now or after its end.
    private func finding(of host: HostProcess, _ end: ProcessEnd) -> FaultFinding {
        FaultFinding(
            FaultPage.read(host.faults.descriptor.number), end: end, complaint: host.complaint,
            extensions: host.extensions.count, now: .now)
    }

    /// A host says that it dies. Who did it, if that is certain already, has to bear the consequences before
    /// anybody takes the host's place.
    func judgeEarly(_ host: HostProcess) {
        let finding = finding(of: host, .killed(signal: 0))
        guard finding.culprits.count == 1, finding.certainty != .suspect else { return }
        host.consequences = consequences(of: finding, host.extensions, isOfHost: true)
    }

    /// A host has died that nobody wanted to die. `replace` does what is to be done so that others serve, and
    /// says what that was.
    func hostDied(_ host: HostProcess, _ end: ProcessEnd, replace: () -> String) {
        let finding = finding(of: host, end)
        let consequences =
            host.consequences ?? consequences(of: finding, host.extensions, isOfHost: true)
        write(
            finding, .host(host.process.pid), host.extensions,
            Instant.now.seconds(since: host.started), [replace()] + consequences)
    }

    /// A call threw, or asked for an end, and got 500. After an end that never came the host is replaced as soon
    /// as another is ready; an exception has left nothing behind.
    func callFaulted(_ index: Int, _ end: CallEnd, _ request: String, of host: HostProcess) {
        guard host.extensions.indices.contains(index) else {
            return killForNonsense(host, "there is no extension \(index)")
        }
        let finding = FaultFinding(end, request: request, of: index)
        if end != .threw { host.isSpoiled = true }
        let action = host.isSpoiled ? "host \(host.process.pid) is replaced" : "the host goes on"
        write(
            finding, .call(host: host.process.pid), host.extensions,
            Instant.now.seconds(since: host.started),
            [action] + consequences(of: finding, host.extensions, isOfHost: true))
        renewHost()
        keepHosts(.now)
    }

    /// A call has taken its thread along.
    func callOverdue(
        _ index: Int, _ request: String, _ seconds: Double, _ isTooMuch: Bool, of host: HostProcess
    ) {
        guard host.extensions.indices.contains(index) else {
            return killForNonsense(host, "there is no extension \(index)")
        }
        let entry = host.extensions[index]
        let finding = FaultFinding(overdue: seconds, request: request, of: index)
        var actions = ["its thread is written off"]
        if isTooMuch, !host.isSpoiled {
            host.isSpoiled = true
            actions.append("so many are that host \(host.process.pid) is replaced")
            if entry.demoteAfter > 0 {
                strikes.demote(entry.name, identity: entry.identity)
                actions.append(Self.demotion(of: entry))
            }
        }
        write(
            finding, .call(host: host.process.pid), host.extensions,
            Instant.now.seconds(since: host.started),
            actions + consequences(of: finding, host.extensions, isOfHost: true))
        renewHost()
        keepHosts(.now)
    }

    // MARK: In workers

    /// A worker of ours has died. True: a line says why; false: it is no fault of the extension's.
    func workerDied(_ worker: WorkerProcess, _ end: ProcessEnd, of pool: PoolProcesses) -> Bool {
        guard case .worker(let name) = pool.settings.program, let faults = worker.faults,
            let entry = pool.configuration.extensions.first(where: { $0.name == name })
        else { return false }
        let now = Instant.now
        let page = FaultPage.read(faults.descriptor.number)
        guard page.fault != nil || page.activities.contains(where: { $0.function != nil }) else {
            return false
        }
        let finding = FaultFinding(page, end: end, complaint: nil, extensions: 1, now: now)
        guard !finding.culprits.isEmpty else { return false }
        write(
            finding, .worker(worker.process.pid, pool: pool.settings.name), [entry],
            now.seconds(since: worker.started),
            ["it is replaced"] + consequences(of: finding, [entry], isOfHost: false))
        return true
    }

    // MARK: Records

    /// One record, and one line.
    private func write(
        _ finding: FaultFinding, _ victim: CrashRecord.Victim,
        _ extensions: [Settings.Extension], _ uptime: Double, _ actions: [String]
    ) {
        let culprits = finding.culprits.map { extensions[$0] }
        let first = culprits.first
        let record = CrashRecord(
            timestamp: WallClock.timestamp, victim: victim, extensions: culprits.map(\.name),
            file: first?.verdict?.path, version: first?.verdict?.version, finding: finding,
            uptime: uptime, action: actions.joined(separator: "; "))
        records.append(record)
        if records.count > Self.mostRecords { records.removeFirst() }
        log.log(
            .error, record.sentence, handler: culprits.count == 1 ? "extension \(first!.name)" : nil
        )
    }

    // MARK: Consequences

    /// What a fault means for those who did it, done and in words.
    private func consequences(
        of finding: FaultFinding, _ extensions: [Settings.Extension], isOfHost: Bool
    ) -> [String] {
        let culprits = finding.culprits.map { extensions[$0] }
        let words = culprits.compactMap { culprit -> String? in
            if culprits.count == 1, let words = takeBack(culprit, finding.deed) { return words }
            return isOfHost ? strike(culprit, share: 1 / Double(culprits.count)) : nil
        }
        demoteThoseDue()
        return words
    }

    /// What follows from a fault, for the record.
    private func strike(_ culprit: Settings.Extension, share: Double) -> String? {
        let outcome = strikes.strike(
            culprit.name, identity: culprit.identity, weight: share, limit: culprit.demoteAfter,
            now: .now)
        switch outcome {
        case .strike(let count, let limit): return "strike \(count) of \(limit)"
        case .alreadyDemoted, .ignored: return nil
        case .demoted: return Self.demotion(of: culprit)
        }
    }

    private static func demotion(of entry: Settings.Extension) -> String {
        "from now on extension \(entry.name) is called in worker processes, one request at a time in"
            + " each, until its file or its configuration changes"
    }

    /// What strikes have moved out of the host is out of it in each host that is started from now on.
    func demoteThoseDue() {
        guard demote(in: &settings) else { return }
        configuration = newNumber()
        dismissOutdated()
    }

    /// True: something has changed.
    func demote(in settings: inout Settings) -> Bool {
        var isChanged = false
        for (index, entry) in settings.extensions.enumerated() {
            guard var verdict = entry.verdict, verdict.home == .inProcess,
                strikes.isDemoted(entry.name, identity: entry.identity)
            else { continue }
            verdict.home = .isolated
            settings.apply(verdict, toExtension: index)
            isChanged = true
        }
        return isChanged
    }
}

extension Settings.Extension {
    /// Another file or other settings are another extension: what is known of the one before is void.
    var identity: String {
        let settings = settings.map { "\($0.name)=\($0.value)" }.joined(separator: "\u{0}")
        return "\(library)\u{0}\(verdict?.version ?? "")\u{0}\(settings)"
    }
}
