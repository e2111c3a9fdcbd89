// Processes that have grown old or large are exchanged for fresh ones.
// SPDX-License-Identifier: Apache-2.0

import Configuration
import Platform

extension SupervisorLoop {
    /// Seconds between two looks at what processes take.
    static let useInterval = 5.0

    func checkUse(_ now: Instant) {
        times[.checkUse] = now.adding(seconds: Self.useInterval)
        guard phase == .serving else { return }
        let time = LocalTime.now
        recycling.look(at: time, settings.recycling, now: now)
        exchangeHost(now)
        for (pool, settings) in zip(pools, settings.pools) {
            pool.recycling.look(at: time, settings.recycling, now: now)
            exchangeWorker(of: pool, settings.recycling, now)
        }
    }

    // MARK: The host

    /// As a reload does it: another one takes over, this one finishes its requests.
    private func exchangeHost(_ now: Instant) {
        guard !changeIsUnderWay, let host = current.flatMap({ hosts[$0] }), !host.isSpoiled,
            hosts.values.count(where: { $0.state == .leaving }) < Self.mostLeaving
        else { return }
        let subject = RecyclingRule.Subject(
            id: host.id, started: host.started, use: use(of: host.process, settings.recycling),
            unhealthy: unwell(host.faults, host.extensions.map(\.name)))
        guard let decision = recycling.decide([subject], settings.recycling, now: now) else {
            return
        }
        say(decision, "host \(host.process.pid)", now.seconds(since: host.started), handler: nil)
        guard case .exchange = decision else { return }
        host.isSpoiled = true
        renewHost()
        keepHosts(.now)
    }

    // MARK: Workers

    private func exchangeWorker(
        of pool: PoolProcesses, _ limits: Settings.Recycling, _ now: Instant
    ) {
        guard pool.ledger.canReplace(now: now) else { return }
        let name = pool.settings.name
        let subjects = pool.ledger.replaceable.compactMap { id -> RecyclingRule.Subject? in
            guard let worker = pool.workers[id], let known = pool.ledger.workers[id] else {
                return nil
            }
            return RecyclingRule.Subject(
                id: id, started: known.started, use: use(of: worker.process, limits),
                unhealthy: worker.faults.flatMap { unwell($0, [name]) })
        }
        guard let decision = pool.recycling.decide(subjects, limits, now: now),
            let worker = pool.workers[decision.id], let known = pool.ledger.workers[decision.id]
        else { return }
        say(
            decision, "worker \(worker.process.pid)", now.seconds(since: known.started),
            handler: "pool \(name)")
        if case .exchange(let id, _) = decision { apply(.outlived(id), to: pool) }
    }

    /// An operator wants other workers: one after the other.
    func recycle(_ pool: PoolProcesses) {
        pool.recycling.ask(now: .now)
        times[.checkUse] = .now
    }

    // MARK: Looks

    private func use(of process: ChildProcess, _ limits: Settings.Recycling) -> ProcessUse {
        ProcessUse(
            of: process.pid, memory: limits.memory > 0 || limits.privateMemory > 0,
            descriptors: limits.descriptors > 0)
    }

    /// Which extension in the process says that it is not well. The word is the process's own: nobody believes
    /// it further than this.
    private func unwell(_ page: SharedDescriptor, _ names: [String]) -> String? {
        let index = Int(FaultPage.unwellTag(page.descriptor.number)) - 1
        return names.indices.contains(index) ? names[index] : nil
    }

    private func say(
        _ decision: RecyclingRule.Decision, _ who: String, _ age: Double, handler: String?
    ) {
        switch decision {
        case .exchange(_, let cause):
            log.log(.notice, "\(who) is exchanged: \(cause)", handler: handler)
        case .hold(_, let cause, let seconds):
            log.log(
                .warning,
                "\(who) is over a limit \(PoolLedger.age(age)) after its start: \(cause); the one"
                    + " before was too, so it is exchanged in \(PoolLedger.age(seconds)) at the"
                    + " earliest: raise the limit, or mend what grows", handler: handler)
        }
    }
}

extension RecyclingRule.Decision {
    fileprivate var id: UInt64 {
        switch self {
        case .exchange(let id, _), .hold(let id, _, _): id
        }
    }
}
