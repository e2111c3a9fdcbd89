// How a relayed request ended, for its exchange and for the worker.
// SPDX-License-Identifier: Apache-2.0

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
    /// Nothing of the request has left this server: another worker may be asked.
    case unreached
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
