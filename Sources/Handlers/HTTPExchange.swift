// One request and its answer over an HTTP connection.
// SPDX-License-Identifier: Apache-2.0

package import Configuration
package import Exchange
package import ExtensionHost
package import Platform

/// How a handler left an exchange.
package enum Outcome: Sendable {
    /// The response is complete (perhaps still in the output buffer).
    case done
    /// Somebody calls `complete()` or `schedule()` later; no thread is held.
    case pending
}

/// Runs an exchange's connection again on a thread of the pool: what `HTTPExchange` needs from Server.
package protocol ExchangeOwner: AnyObject, Sendable {
    func schedule(_ exchange: HTTPExchange)
}

/// One request with its body received, and the answer to it. Handlers use it from the thread they run on.
package final class HTTPExchange {
    package let request = Request()
    package init() {}
}
