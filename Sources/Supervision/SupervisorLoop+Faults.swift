// Faults of extensions: found out, written down, acted on.
// SPDX-License-Identifier: Apache-2.0

import Configuration
import Control
import Platform

extension SupervisorLoop {
    /// Records that are kept.
    static let mostRecords = 200

    // MARK: In the host

    /// A host has died that nobody wanted to die. `successor`: what is done so that others serve.
    func hostDied(_ host: HostProcess, _ end: ProcessEnd, successor: String) {
        let now = Instant.now
        let finding = FaultFinding(
            FaultPage.read(host.faults.descriptor.number), end: end, complaint: host.complaint,
            extensions: host.extensions.count, now: now)
        let uptime = now.seconds(since: host.started)
        write(finding, .host(host.process.pid), host.extensions, uptime, successor)
    }

    /// A call threw, or asked for an end, and got 500. After an end that never came the host is replaced as soon
    /// as another is ready; an exception has left nothing behind.
    func callFaulted(_ index: Int, _ end: CallEnd, _ request: String, of host: HostProcess) {
        guard host.extensions.indices.contains(index) else {
            return killForNonsense(host, "there is no extension \(index)")
        }
        let finding = FaultFinding(end, request: request, of: index)
        if end != .threw { host.isSpoiled = true }
        write(
            finding, .call(host: host.process.pid), host.extensions,
            Instant.now.seconds(since: host.started),
            host.isSpoiled ? "host \(host.process.pid) is replaced" : "the host goes on")
        renewHost()
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
            now.seconds(since: worker.started), "it is replaced")
        return true
    }

    /// One record, one line, and a strike for each culprit.
    private func write(
        _ finding: FaultFinding, _ victim: CrashRecord.Victim,
        _ extensions: [Settings.Extension], _ uptime: Double, _ action: String
    ) {
        let culprits = finding.culprits.map { extensions[$0] }
        let first = culprits.first
        var record = CrashRecord(
            time: WallClock.seconds, victim: victim, extensions: culprits.map(\.name),
            file: first?.verdict?.path, version: first?.verdict?.version, finding: finding,
            uptime: uptime, action: action)
        for culprit in culprits {
            var consequence: String?
            if culprits.count == 1 { consequence = takeBack(culprit, finding.deed) }
            if consequence == nil, victim.isOfHost {
                consequence = strike(culprit, share: 1 / Double(culprits.count))
            }
            if let consequence { record.action += "; \(consequence)" }
        }
        records.append(record)
        if records.count > Self.mostRecords { records.removeFirst() }
        log.log(
            .error, record.sentence, handler: culprits.count == 1 ? "extension \(first!.name)" : nil
        )
        demoteThoseDue()
    }

    /// What follows from a fault, for the record.
    private func strike(_ culprit: Settings.Extension, share: Double) -> String? {
        let outcome = strikes.strike(
            culprit.name, identity: culprit.identity, weight: share, limit: culprit.demoteAfter,
            now: .now)
        switch outcome {
        case .strike(let count, let limit): return "strike \(count) of \(limit)"
        case .alreadyDemoted, .ignored: return nil
        case .demoted:
            return
                "from now on extension \(culprit.name) is called in worker processes, one request"
                + " at a time in each, until its file or its configuration changes"
        }
    }

    // MARK: Demotion

    /// What strikes have moved out of the host is out of it in each host that is started from now on.
    private func demoteThoseDue() {
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

extension CrashRecord.Victim {
    fileprivate var isOfHost: Bool {
        if case .worker = self { false } else { true }
    }
}
