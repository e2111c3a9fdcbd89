// The worker processes of one pool: carries out what its ledger decides.
// SPDX-License-Identifier: Apache-2.0

import Configuration
import Platform

final class PoolProcesses {
    let key: UInt64
    let settings: Settings.Pool
    /// The configuration the pool belongs to.
    let configuration: Settings
    var ledger: PoolLedger
    var workers: [UInt64: WorkerProcess] = [:]
    /// Of the same name under an older configuration; until it is over.
    var predecessor: PoolProcesses?
    /// Which of its workers is exchanged next. See SupervisorLoop+Recycling.swift.
    var recycling = RecyclingRule()
    /// Of what its workers write.
    var outputLimit = RateLimit(burst: 200, perSecond: 20)
    /// Of what its ledger has to say.
    private var logLimit = RateLimit(burst: 20, perSecond: 1)

    init(
        key: UInt64, _ settings: Settings.Pool, of configuration: Settings,
        replacing predecessor: PoolProcesses?
    ) {
        self.key = key
        self.settings = settings
        self.configuration = configuration
        self.predecessor = predecessor
        ledger = PoolLedger(
            PoolLedger.Limits(
                name: settings.name, minimum: settings.minimum, maximum: settings.maximum,
                startTimeout: settings.startTimeout, isForeign: settings.isForeign,
                rapidFails: settings.rapidFails))
    }

    /// A line about the pool: nil when there have been too many.
    func limited(_ line: String, now: Instant) -> String? {
        guard logLimit.admits(at: now) else { return nil }
        let omitted = logLimit.takeSuppressed()
        return omitted > 0 ? "\(line) (and \(omitted) lines like it that were not logged)" : line
    }

    /// Processes of this pool and of those it replaces.
    var processCount: Int { workers.count + (predecessor?.processCount ?? 0) }
}

extension Settings.Pool {
    /// The program is not ours.
    fileprivate var isForeign: Bool {
        switch program {
        case .command: true
        case .worker: false
        }
    }
}
