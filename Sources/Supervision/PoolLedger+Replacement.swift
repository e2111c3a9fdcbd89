// A worker of a pool is exchanged: its successor first.
// SPDX-License-Identifier: Apache-2.0

import Platform

extension PoolLedger {
    /// Whether a worker may be exchanged now.
    func canReplace(now: Instant) -> Bool {
        replacement == nil && !isRetired && canStart(now)
    }

    /// Those that could be exchanged: that have worked, and are not leaving yet.
    var replaceable: [WorkerID] {
        workers.filter { $0.value.hasStarted && !$0.value.isLeaving && !$0.value.isRetiring }
            .keys.sorted()
    }

    mutating func replace(_ id: WorkerID, _ now: Instant) {
        guard canReplace(now: now), replaceable.contains(id) else { return }
        replacement = PoolReplacement(old: id)
    }

    /// The successor is to be started now.
    func wantsSuccessor(_ now: Instant) -> Bool {
        replacement?.successor == .wanted && !isRetired && canStart(now)
    }

    /// 1 while the old one and its successor are both there. `whileLeaving`: also when the old one is ending.
    func successors(whileLeaving: Bool) -> Int {
        guard let replacement, replacement.successor != .wanted,
            let old = workers[replacement.old], whileLeaving || !old.isLeaving
        else { return 0 }
        return 1
    }

    /// A process asked for was started; it is the successor when one is awaited.
    mutating func successorSpawned(_ id: WorkerID) {
        if replacement?.successor == .spawning { replacement?.successor = .starting(id) }
    }

    /// No process was started: the old one stays.
    mutating func successorFailed() {
        if replacement?.successor == .spawning { replacement = nil }
    }

    /// Brings the exchange on, after everything else has been decided.
    mutating func advanceReplacement(_ now: Instant, _ actions: inout [Action]) {
        guard let current = replacement else { return }
        guard let old = workers[current.old] else { return replacement = nil }
        switch current.successor {
        case .wanted: if isRetired || !canStart(now) || old.isLeaving { replacement = nil }
        case .spawning, .ready: break
        case .starting(let id):
            guard let new = workers[id], !new.isLeaving else { return replacement = nil }
            guard new.hasStarted else { return }
            replacement?.successor = .ready
            retire(current.old, old, now, &actions)
        }
    }

    private mutating func retire(
        _ id: WorkerID, _ worker: PoolWorker, _ now: Instant, _ actions: inout [Action]
    ) {
        workers[id]?.isRetiring = true
        switch worker.state {
        case .held(let host): actions.append(.retire(id, from: host))
        case .spare: terminate(id, now, &actions)
        // It goes when it has accepted its connection: it may be busy.
        case .connecting, .ending, .killed: break
        }
    }
}
