// One exchange and the pool that answers it: a worker now, a place in the queue, or no.
// SPDX-License-Identifier: Apache-2.0

package import Configuration
import Exchange
import Platform

/// Answers exchanges through the worker processes of one pool.
package final class FastCGIHandler: Handler {
    package let pool: WorkerPool
    private let relay: FastCGIRelay
    /// Workers that one request may find unreachable: as many as there may be, and one that died while it was
    /// being given.
    private let mostUnreached: Int
    /// Settings of the extension, when the workers are `mortise worker`.
    package let settings: [(name: String, value: String)]

    package init(
        pool: WorkerPool, settings: Settings.Pool, isWorker: Bool,
        extensionSettings: [(name: String, value: String)] = []
    ) {
        self.pool = pool
        relay = FastCGIRelay(pool: settings, isWorker: isWorker)
        mostUnreached = settings.maximum + 1
        self.settings = extensionSettings
    }

    /// Answers with an idle worker, or parks the exchange until there is one.
    package func answer(_ exchange: Exchange) -> Answer {
        while true {
            if let answer = ask(exchange) { return answer }
        }
    }

    /// Nil: the worker could not be reached, and the next one is to be asked.
    private func ask(_ exchange: Exchange) -> Answer? {
        exchange.state = .parked(at: self)
        switch pool.acquire(for: exchange) {
        case .grant(let grant):
            exchange.state = .running
            return relay(exchange, by: grant)
        case .parked:
            return .parked
        case .full:
            exchange.state = .running
            relay.failures.fail(
                exchange, status: 503,
                reason: "all workers are busy and the queue is full; raise processes.max or queue",
                retryAfter: 1)
        case .unavailable(let reason, let retryAfter):
            exchange.state = .running
            relay.failures.fail(exchange, status: 503, reason: reason, retryAfter: retryAfter)
        }
        return .done
    }

    package func resume(_ exchange: Exchange) -> Answer {
        exchange.state = .running
        switch exchange.arrival.take() {
        case .grant(let grant): return relay(exchange, by: grant) ?? answer(exchange)
        case .refusal(let reason, let retryAfter):
            relay.failures.fail(exchange, status: 503, reason: reason, retryAfter: retryAfter)
        case .departure: exchange.abandon()
        case .turn: preconditionFailure("an exchange that waited for a worker got a turn")
        case nil: preconditionFailure("an exchange that waited for a worker got none")
        }
        return .done
    }

    package func withdraw(_ exchange: Exchange) -> Bool { pool.withdraw(exchange) }

    private func relay(_ exchange: Exchange, by grant: consuming WorkerGrant) -> Answer? {
        let end = relay.run(exchange, on: grant.worker)
        grant.release(end.fate)
        switch end.outcome {
        case .answered: return .done
        case .redirect(let path): return .redirect(to: path)
        case .unreached: return countUnreached(exchange) ? nil : .done
        }
    }

    /// Nothing of the request has left this server, so the next worker is asked; the log says so. False: too
    /// many could not be reached, and the exchange has failed.
    private func countUnreached(_ exchange: Exchange) -> Bool {
        exchange.route.unreachedWorkers += 1
        let count = exchange.route.unreachedWorkers
        guard count <= mostUnreached else {
            relay.failures.fail(
                exchange, status: 502,
                reason: "\(count) workers in a row could not be reached (pool \(pool.name))")
            return false
        }
        relay.failures.log(
            .warning,
            "a worker could not be reached (pool \(pool.name)); the request goes to another",
            of: exchange)
        return true
    }
}
