// What an exchange that needs a worker gets.
// SPDX-License-Identifier: Apache-2.0

/// What an exchange that needs a worker gets.
package enum Acquired: ~Copyable {
    case grant(WorkerGrant)
    /// It waits in the queue without a thread, and is resumed with an `arrival`.
    case parked
    /// The queue is full.
    case full
    /// No worker can be had; seconds until it makes sense to ask again.
    case unavailable(reason: String, retryAfter: Int)
}
