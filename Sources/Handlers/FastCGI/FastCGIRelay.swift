// FastCGI as the server sees it: one exchange, one worker, one answer.
// SPDX-License-Identifier: Apache-2.0

package import Configuration
import Exchange
import Platform

/// What is to become of the worker after a request.
package enum WorkerFate: Sendable, Equatable {
    /// The conversation ended as it should: the next request may follow.
    case reusable
    /// Dead, late, or not to be trusted with another request.
    case broken
    /// Its client has left and its connection is closed: it may still be at work on that request.
    case abandoned
}

/// What came of the exchange.
package enum RelayOutcome: Sendable, Equatable {
    /// The client has its answer, or the exchange has failed: it is over.
    case answered
    /// Nothing of the request has left this server: another worker may be asked, once.
    case retry
    /// The answer is what this server says to another path: a local redirect (RFC 3875 §6.2.2).
    case redirect(path: [UInt8])
}

package struct RelayEnd: Sendable, Equatable {
    package var outcome: RelayOutcome
    package var fate: WorkerFate

    package init(outcome: RelayOutcome, fate: WorkerFate) {
        self.outcome = outcome
        self.fate = fate
    }
}

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
