// One pool of workers as the host's threads use it.
// SPDX-License-Identifier: Apache-2.0

import Synchronization

package import Configuration
import Control
package import Platform

extension SupervisorLink: WorkerSupply {}

/// Idle workers, and the exchanges that wait for one. Any thread may call.
///
/// Decisions are `WorkerQueue`'s, under its lock; what follows from them is carried out without it.
package final class WorkerPool: Sendable {
    package struct Status: Sendable, Equatable {
        package var workers = 0
        package var idle = 0
        package var waiting = 0
    }

    /// An exchange in the queue.
    private struct Parked: @unchecked Sendable {
        // because the queue is its only user until it is resumed or withdrawn.
        let exchange: Exchange
    }

    package let name: String
    /// Index into `Settings.pools`.
    package let index: Int
    private let queueTimeout: Double
    private let supply: any WorkerSupply
    /// What this host knows of the pool's program.
    package let conduct = ProgramConduct()
    private let queue: Mutex<WorkerQueue<WorkerConnection, Parked>>

    package init(index: Int, settings: Settings.Pool, supply: any WorkerSupply) {
        name = settings.name
        self.index = index
        self.supply = supply
        queueTimeout = settings.queueTimeout
        queue = Mutex(
            WorkerQueue(
                WorkerQueue.Limits(
                    minimum: settings.minimum, maximum: settings.maximum, queue: settings.queue,
                    queueTimeout: settings.queueTimeout, idleTimeout: settings.idleTimeout,
                    maxRequests: settings.requestsPerProcess)))
    }

    package var status: Status {
        queue.withLock {
            Status(workers: $0.held, idle: $0.idleCount, waiting: $0.parkedCount)
        }
    }

    // MARK: Threads with a request

    /// An idle worker, or a place in the queue. The exchange's state says already where it parks: it may be
    /// resumed on another thread before this returns.
    package func acquire(for exchange: Exchange) -> Acquired {
        let waiting = Parked(exchange: exchange)
        switch queue.withLock({ $0.acquire(for: waiting, now: CoarseClock.now) }) {
        case .worker(let worker):
            return .grant(WorkerGrant(worker, of: self))
        case .parked(let asks):
            if asks { ask(for: 1) }
            return .parked
        case .full:
            return .full
        case .unavailable(let reason, let retryAfter):
            return .unavailable(reason: reason, retryAfter: retryAfter)
        }
    }

    /// Takes an exchange out of the queue; false when something is arriving for it just now.
    package func withdraw(_ exchange: Exchange) -> Bool {
        let meant = Parked(exchange: exchange)
        return queue.withLock { $0.withdraw { $0.exchange === meant.exchange } }
    }

    /// A worker is free again; the exchange that waits longest is resumed with it.
    func release(_ worker: WorkerConnection, fate: WorkerFate) {
        let freed = queue.withLock {
            let isRetiring = $0.takeRetiring(worker.id)
            return $0.release(
                worker, fate, requestsServed: worker.requestsServed, isRetiring: isRetiring,
                now: CoarseClock.now)
        }
        assign(worker, freed)
    }

    // MARK: The control thread

    /// The supervisor gives a worker.
    package func granted(_ worker: WorkerConnection, isAsked: Bool) {
        assign(worker, queue.withLock { $0.grant(worker, isAsked: isAsked, now: .now) })
    }

    /// The supervisor has none now. When this host has none either, those who wait are answered.
    package func denied(count: Int, reason: String, retryAfter: Int) {
        let expired = queue.withLock {
            $0.deny(count: count, reason: reason, retryAfter: retryAfter, now: .now)
        }
        end(expired)
    }

    /// The pool's workers crash: nobody is served for so long, then one is tried.
    package func quarantine(reason: String, seconds: Int) {
        let expired = queue.withLock {
            $0.quarantine(reason: reason, seconds: seconds, now: .now)
        }
        end(expired)
        for worker in expired.surplus { letGo(worker, .idle) }
    }

    package func endQuarantine() { queue.withLock { $0.endQuarantine() } }

    /// Another host of this server waits for a worker: an idle one goes, or the next that is free.
    package func giveBack() {
        if let worker = queue.withLock({ $0.giveBack() }) { letGo(worker, .idle) }
    }

    /// Another worker has come for this one.
    package func retire(_ id: UInt64) {
        let idle = queue.withLock { $0.retire(id) { $0.id == id } }
        if let idle { letGo(idle, .served) }
    }

    /// Those that were on the way to a request whose client has gone are idle without having been busy.
    private func retireIdle() {
        let idle = queue.withLock { queue in
            queue.retiring.compactMap { id in queue.retire(id) { $0.id == id } }
        }
        for worker in idle { letGo(worker, .served) }
    }

    /// The supervisor says that a worker has died.
    package func workerEnded(_ id: UInt64) {
        // A busy one's thread learns it from the connection.
        _ = queue.withLock {
            _ = $0.takeRetiring(id)
            return $0.end { $0.id == id }
        }
    }

    /// What has waited or been idle too long; called about ten times a second.
    package func expire(_ now: Instant) {
        retireIdle()
        let expired = queue.withLock { $0.expire(now: now) }
        end(expired)
        for worker in expired.surplus { letGo(worker, .surplus) }
        ask(for: expired.asks)
    }

    /// The host leaves: idle workers go back at once, busy ones when nobody waits any more.
    package func drain() {
        let workers = queue.withLock { $0.drain() }
        for worker in workers { letGo(worker, .idle) }
    }

    // MARK: Actions

    /// Carries out what becomes of a free worker.
    private func assign(
        _ worker: WorkerConnection, _ first: WorkerQueue<WorkerConnection, Parked>.Freed
    ) {
        var freed = first
        while let next = freed.next?.exchange {
            guard next.response.isConnected else {
                // Its client has gone while it waited: it costs no worker.
                arrive(.departure, for: next)
                freed = queue.withLock { $0.assign(worker, .now) }
                continue
            }
            return arrive(.grant(WorkerGrant(worker, of: self)), for: next)
        }
        if let reason = freed.release { letGo(worker, reason) }
        if freed.isHealed { supply.send(.healed(pool: index), descriptors: []) }
        ask(for: freed.asks)
    }

    private func arrive(_ arrival: consuming Arrival, for exchange: Exchange) {
        exchange.arrival = consume arrival
        exchange.resume()
    }

    private func end(_ expired: WorkerQueue<WorkerConnection, Parked>.Expired) {
        for waiting in expired.late {
            let late = "waited \(queueTimeout) s for a worker of pool \(name); raise processes.max"
            arrive(.refusal(reason: late, retryAfter: 1), for: waiting.exchange)
        }
        for waiting in expired.denied {
            arrive(
                .refusal(reason: expired.reason, retryAfter: expired.retryAfter),
                for: waiting.exchange)
        }
    }

    /// What could not be asked is not wanted: `expire` tries again.
    private func ask(for count: Int) {
        var unsent = 0
        for _ in 0..<count where !supply.send(.wantWorker(pool: index), descriptors: []) {
            unsent += 1
        }
        if unsent > 0 { queue.withLock { $0.takeBackAsks(unsent) } }
    }

    /// The connection ends now, whoever still holds the object: the worker may accept its next one.
    private func letGo(_ worker: WorkerConnection, _ reason: ReleaseReason) {
        supply.send(
            .releaseWorker(id: worker.id, reason: worker.letGo(reason)), descriptors: [])
    }
}
