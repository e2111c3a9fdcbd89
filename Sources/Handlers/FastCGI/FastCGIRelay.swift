// FastCGI as the server sees it: one exchange, one worker, one answer.
// SPDX-License-Identifier: Apache-2.0

package import Configuration
import Exchange
import Platform

/// Relays exchanges to the workers of one pool.
///
/// The calling thread waits for the worker: there are as many of these as there are workers. A request
/// is one send and an answer one receive, when both are small.
package final class FastCGIRelay: Sendable {
    let poolName: String
    let activityTimeout: Double
    let requestTimeout: Double
    /// The workers are `mortise worker`: they are sent the head as it came, and the settings.
    let isWorker: Bool
    /// Seconds a worker has to end a request after FCGI_ABORT_REQUEST.
    let grace = 1.0
    let failures = FailureLines()
    /// What the workers' standard error may add to the log.
    let errorLines = LineLimit(burst: 200, perSecond: 10)

    package init(pool: Settings.Pool, isWorker: Bool) {
        poolName = pool.name
        activityTimeout = pool.activityTimeout
        requestTimeout = pool.requestTimeout
        self.isWorker = isWorker
    }

    /// Answers the exchange through the worker. Returns when the request is over for both.
    package func run(_ exchange: Exchange, on worker: WorkerConnection) -> RelayEnd {
        var conversation = FastCGIConversation(exchange, worker, self)
        return conversation.run()
    }
}
