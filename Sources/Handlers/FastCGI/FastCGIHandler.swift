// One exchange and the pool that answers it: a worker now, a place in the queue, or no.
// SPDX-License-Identifier: Apache-2.0

package import Configuration
import Exchange
import Platform

/// Answers exchanges through the worker processes of one pool.
package final class FastCGIHandler: Sendable {
    package let pool: WorkerPool
    private let relay: FastCGIRelay
    /// Settings of the extension, when the workers are `mortise worker`.
    package let settings: [(name: String, value: String)]

    package init(
        pool: WorkerPool, settings: Settings.Pool, isWorker: Bool,
        extensionSettings: [(name: String, value: String)] = []
    ) {
        self.pool = pool
        relay = FastCGIRelay(pool: settings, isWorker: isWorker)
        self.settings = extensionSettings
    }

    /// What became of the exchange, and who is next.
    package struct Answer {
        package var outcome: Outcome
        /// A parked exchange that has got this thread's worker: this thread runs it next.
        package var next: Exchange?
        /// The answer is what the server says to that path (RFC 3875 §6.2.2).
        package var redirect: [UInt8]?
    }

    /// Answers with an idle worker, or parks the exchange until there is one.
    package func answer(_ exchange: Exchange) -> Answer {
        if let worker = exchange.assignedWorker {
            exchange.assignedWorker = nil
            return relay(exchange, to: worker)
        }
        switch pool.acquire(for: exchange) {
        case .worker(let worker):
            return relay(exchange, to: worker)
        case .parked:
            return Answer(outcome: .pending)
        case .full:
            exchange.fail(
                status: 503,
                reason: "all workers are busy and the queue is full; raise processes.max or queue",
                retryAfter: 1)
        case .unavailable(let reason, let retryAfter):
            exchange.fail(status: 503, reason: reason, retryAfter: retryAfter)
        }
        return Answer(outcome: .done)
    }

    private func relay(_ exchange: Exchange, to worker: WorkerConnection) -> Answer {
        let end = relay.run(exchange, on: worker)
        let next = pool.release(worker, fate: end.fate)
        switch end.outcome {
        case .answered:
            return Answer(outcome: .done, next: next)
        case .redirect(let path):
            return Answer(outcome: .done, next: next, redirect: path)
        case .retry:
            return retry(exchange, next)
        }
    }

    /// The worker ended without a byte of an answer, and asking again is harmless: another one is asked,
    /// once, and the log says so.
    private func retry(_ exchange: Exchange, _ next: Exchange?) -> Answer {
        guard !exchange.route.wasRetried else {
            exchange.fail(
                status: 502, reason: "two workers ended before they took the request",
                retryAfter: nil)
            return Answer(outcome: .done, next: next)
        }
        exchange.route.wasRetried = true
        exchange.log(.warning, "a worker ended before it answered; the request went to another one")
        var answer = answer(exchange)
        guard let next else { return answer }
        // Both this exchange's worker and the next one's are this thread's to go on with.
        if answer.next == nil { answer.next = next } else { next.owner?.schedule(next) }
        return answer
    }
}
