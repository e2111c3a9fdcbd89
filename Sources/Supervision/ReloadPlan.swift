// What changes between two configurations.
// SPDX-License-Identifier: Apache-2.0

import Configuration

/// How to come from the configuration in force to a new one without closing what both have.
struct ReloadPlan: Equatable {
    enum Listener: Equatable {
        /// The open one with that index in the old configuration.
        case keep(Int)
        case bind(Settings.Listener)
    }

    enum Pool: Equatable {
        /// The running one with that index in the old configuration goes on, processes and all.
        case keep(Int)
        /// `replaces`: one of that name exists; its processes count against the maximum till they end.
        case start(replaces: Int?)
    }

    /// In the order of the new configuration.
    var listeners: [Listener] = []
    /// In the order of the new configuration.
    var pools: [Pool] = []
    /// Indices into the old configuration.
    var closedListeners: [Int] = []
    var retiredPools: [Int] = []

    /// What decides about a pool's processes: its settings, and for a pool of `mortise worker` the
    /// extension's. A changed queue alone restarts nothing.
    init(from old: Settings, to new: Settings) {
        for listener in new.listeners {
            let place = old.listeners.firstIndex(of: listener)
            listeners.append(place.map { .keep($0) } ?? .bind(listener))
        }
        closedListeners = old.listeners.indices.filter {
            !new.listeners.contains(old.listeners[$0])
        }
        for pool in new.pools {
            let place = old.pools.firstIndex { $0.name == pool.name }
            if let place, Self.sameProcesses(old, old.pools[place], new, pool) {
                pools.append(.keep(place))
            } else {
                pools.append(.start(replaces: place))
            }
        }
        let kept = pools.compactMap { if case .keep(let index) = $0 { index } else { nil } }
        retiredPools = old.pools.indices.filter { !kept.contains($0) }
    }

    private static func sameProcesses(
        _ old: Settings, _ before: Settings.Pool, _ new: Settings, _ after: Settings.Pool
    ) -> Bool {
        guard before.program == after.program, before.minimum == after.minimum,
            before.maximum == after.maximum, before.rapidFails == after.rapidFails,
            before.startTimeout == after.startTimeout,
            before.confinement == after.confinement, old.account == new.account,
            before.folder == after.folder, before.environment == after.environment
        else { return false }
        guard case .worker(let name) = after.program else { return true }
        let first = old.extensions.first { $0.name == name }
        let second = new.extensions.first { $0.name == name }
        return first?.library == second?.library && first?.directories == second?.directories
            && first?.settings == second?.settings && first?.verdict == second?.verdict
    }
}
