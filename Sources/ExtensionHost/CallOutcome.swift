// What its caller has to know of a call, and a call that goes on without it.
// SPDX-License-Identifier: Apache-2.0

import CISAPI

/// How a call of an extension ended, as its caller has to know it.
package enum CallOutcome: Sendable {
    /// The extension is done with the exchange: its caller finishes the response.
    case finished
    /// The extension goes on with the exchange; `ExtensionExchange.complete` ends it, perhaps before this
    /// value is seen. Keep the call for the deadline.
    case pending(PendingCall)
}

/// A call that returned HSE_STATUS_PENDING.
package struct PendingCall: Sendable {
    let handle: UInt

    /// Ends the call because its time is up: the exchange gets `fail(504)` and `complete()`, and every
    /// later callback of the extension fails without touching it. Never waits.
    ///
    /// True: it ended now, on this thread. False: it has ended, or a thread is inside a callback of it and
    /// ends it in the same way when that callback returns.
    @discardableResult
    package func revoke() -> Bool {
        guard let (slot, generation) = CallTable.shared.find(HCONN(bitPattern: handle)) else {
            return false
        }
        return slot._withUnsafeGuaranteedRef { $0.revoke(generation) }
    }
}
