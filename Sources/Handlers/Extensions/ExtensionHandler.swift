// An extension that is called inside the host process.
// SPDX-License-Identifier: Apache-2.0

package import ExtensionHost
package import Platform

/// Calls a thread-safe extension on the thread that runs the exchange.
package final class ExtensionHandler: Handler {
    let library: LoadedExtension
    package let settings: [(name: String, value: String)]
    private let limit: CallLimit

    /// - Parameter concurrency: calls that are under way at once; more wait.
    package init(
        library: LoadedExtension, settings: [(name: String, value: String)], concurrency: Int
    ) {
        self.library = library
        self.settings = settings
        limit = CallLimit(most: concurrency)
    }

    package func answer(_ exchange: Exchange) -> Answer {
        // What still receives its body holds a thread for it: how many do is limited elsewhere.
        if exchange.body.isArriving { return call(exchange) }
        exchange.state = .parked(at: self)
        switch limit.enter(exchange) {
        case .granted:
            exchange.state = .running
            exchange.callTurn = CallTurn(limit)
            return call(exchange)
        case .parked: return .parked
        case .full:
            exchange.state = .running
            exchange.fail(
                status: 503,
                reason: "\(limit.most) calls of the extension are under way, and too many wait for"
                    + " them; find what holds them, or raise its concurrency", retryAfter: 1)
            return .done
        }
    }

    package func resume(_ exchange: Exchange) -> Answer {
        exchange.state = .running
        switch exchange.arrival.take() {
        case .turn(let turn):
            exchange.callTurn = consume turn
            return call(exchange)
        case .refusal(let reason, let retryAfter):
            exchange.fail(status: 503, reason: reason, retryAfter: retryAfter)
        case .departure: exchange.abandon()
        case .grant: preconditionFailure("an exchange that waited for its turn got a worker")
        case nil: preconditionFailure("an exchange that waited for its turn got none")
        }
        return .done
    }

    package func withdraw(_ exchange: Exchange) -> Bool { limit.withdraw(exchange) }

    /// Called now and then.
    package func expire(_ now: Instant) { limit.expire(now) }

    private func call(_ exchange: Exchange) -> Answer {
        let outcome = library.call(exchange) {
            // Said before the call can end on another thread: the object may serve another request then.
            exchange.callTurn = nil
            exchange.state = .pending($0)
        }
        switch outcome {
        case .finished:
            exchange.callTurn = nil
            exchange.finish()
            return .done
        case .pending:
            return .parked
        }
    }
}
