// What cannot be answered because something is missing or broken.
// SPDX-License-Identifier: Apache-2.0

package import Exchange
import Synchronization

/// Answers 503; the first request that needs what is missing is a line in the log.
package final class UnavailableHandler: Handler {
    private let reason: String
    private let isLogged = Atomic<Bool>(false)

    package init(reason: String) { self.reason = reason }

    package func takesBody(of request: Request) -> Bool { false }

    package func answer(_ exchange: Exchange) -> Answer {
        if isLogged.exchange(true, ordering: .relaxed) {
            exchange.refuse(status: 503, retryAfter: 60)
        } else {
            exchange.fail(status: 503, reason: reason, retryAfter: 60)
        }
        return .done
    }
}
