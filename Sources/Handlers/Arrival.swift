// What a parked exchange has waited for.
// SPDX-License-Identifier: Apache-2.0

/// What a parked exchange has waited for.
package enum Arrival: ~Copyable {
    case grant(WorkerGrant)
    /// It is its turn to call an extension.
    case turn(CallTurn)
    /// Nothing can be had, or the time is over.
    case refusal(reason: String, retryAfter: Int)
    /// Its client has gone.
    case departure
}
