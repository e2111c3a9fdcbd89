// Whether a client takes its response fast enough.
// SPDX-License-Identifier: Apache-2.0

import Platform

/// Watches one connection's sending, and is asked only while the client is waited for.
///
/// What counts is what has reached the client, not what the kernel has taken: a large send buffer makes an
/// honest slow client look dead. Time is charged only while we wait for the client, so a handler's pauses
/// are not its fault.
struct SendPace {
    struct Limits: Sendable {
        /// Seconds in which the client must take something.
        var send: Double
        /// Seconds of waiting for a whole response.
        var response: Double
        /// Bytes a second after the grace; 0 = any.
        var leastRate: Double
    }

    /// Seconds over which the rate is measured, and before which nobody is too slow.
    static let grace = 5.0

    /// Bytes given to the kernel.
    private var handed: Int64 = 0
    private var waitingSince: Instant?
    private var progressAt = Instant(nanoseconds: 0)
    private var deliveredAtProgress: Int64 = 0
    private var waited = 0.0
    private var windowWaited = 0.0
    private var windowDelivered: Int64 = 0
    private var measuredAt = Instant(nanoseconds: 0)
    private var lookAt = Instant(nanoseconds: 0)

    mutating func sent(_ count: Int64) { handed &+= count }

    /// The client takes nothing for now; when to look at it.
    mutating func wait(_ limits: Limits, undelivered: Int64, now: Instant) -> Instant {
        let delivered = handed - undelivered
        if waitingSince == nil {
            waitingSince = now
            waited = 0
            beginWindow(delivered)
            deliveredAtProgress = delivered
            progressAt = now
            measuredAt = now
            lookAt = now.adding(seconds: Self.interval(limits))
        } else {
            charge(delivered, now)
        }
        return lookAt
    }

    /// The time since the last measurement was waited for the client.
    private mutating func charge(_ delivered: Int64, _ now: Instant) {
        let passed = max(0, now.seconds(since: measuredAt))
        measuredAt = now
        waited += passed
        windowWaited += passed
        if delivered > deliveredAtProgress {
            deliveredAtProgress = delivered
            progressAt = now
        }
    }

    /// All is sent.
    mutating func stop() { waitingSince = nil }

    private static func interval(_ limits: Limits) -> Double {
        min(grace, limits.send, limits.response)
    }

    /// A look while the client is waited for: what it did wrong, or when to look again.
    enum Verdict: Equatable {
        case wrong(String)
        case fine(next: Instant)
    }

    mutating func check(_ limits: Limits, undelivered: Int64, now: Instant) -> Verdict {
        let delivered = handed - undelivered
        charge(delivered, now)
        if now.seconds(since: progressAt) >= limits.send {
            return .wrong("took nothing of its response for \(limits.send) s")
        }
        if waited >= limits.response {
            return .wrong("has not taken its response within \(limits.response) s of waiting")
        }
        if windowWaited >= Self.grace {
            if Double(delivered - windowDelivered) < limits.leastRate * windowWaited {
                return .wrong("took its response with less than \(Int(limits.leastRate)) bytes/s")
            }
            beginWindow(delivered)
        }
        lookAt = now.adding(seconds: Self.interval(limits))
        return .fine(next: lookAt)
    }

    private mutating func beginWindow(_ delivered: Int64) {
        windowWaited = 0
        windowDelivered = delivered
    }
}
