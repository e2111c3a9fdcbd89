// One process of a pool as the ledger knows it: where it stands, and what its end means.
// SPDX-License-Identifier: Apache-2.0

import Control
import Platform

/// A worker as a value. `PoolLedger` draws which state follows which, and decides.
struct PoolWorker: Sendable, Equatable {
    enum State: Sendable, Equatable {
        case connecting(until: Instant, nextCheck: Instant, pause: Double)
        case spare
        case held(by: PoolLedger.HostID)
        case ending(killAt: Instant)
        case killed
    }

    /// A process that is to be started in place of one that has ended.
    struct Successor: Sendable, Equatable {
        let after: ProcessEnd
        let from: Instant
    }

    var state = State.spare
    var started: Instant
    /// Has accepted a connection at least once.
    var hasStarted = false
    /// Another worker has come for it: it goes when it has no request.
    var isRetiring = false
    /// Its process has ended, and its successor is to be started.
    var successor: Successor?

    var isConnecting: Bool {
        if case .connecting = state { true } else { false }
    }

    var isLeaving: Bool {
        switch state {
        case .ending, .killed: true
        case .connecting, .spare, .held: false
        }
    }

    // MARK: Connecting

    /// It has so many seconds to accept its connection. Checked soon at first: a program starts in a few
    /// milliseconds.
    mutating func connects(within seconds: Double, now: Instant) {
        state = .connecting(
            until: now.adding(seconds: seconds), nextCheck: now.adding(seconds: 0.001),
            pause: 0.002)
    }

    /// It has been asked whether it has accepted, and will be again.
    mutating func wasChecked(now: Instant) {
        guard case .connecting(let until, _, let pause) = state else { return }
        state = .connecting(
            until: until, nextCheck: min(until, now.adding(seconds: pause)),
            pause: min(0.02, pause * 2))
    }

    /// Its connection could not be made yet: until then its time does not run.
    mutating func waitsForConnection(now: Instant) {
        state = .connecting(
            until: now.adding(seconds: PoolLedger.reconnectPatience),
            nextCheck: now.adding(seconds: 0.02), pause: 0.02)
    }

    mutating func accepted() {
        state = .spare
        hasStarted = true
    }

    // MARK: Its end

    /// SIGKILL comes from outside - an operator, the kernel short of memory - and is no fault of the
    /// program; nor is its own decision to leave with 0 after it has worked.
    func isUnexpected(_ end: ProcessEnd) -> Bool {
        switch (state, end) {
        case (.ending, _), (_, .killed(signal: 9)): false
        case (_, .exited(code: 0)): !hasStarted
        default: true
        }
    }

    /// The program has ended by itself, with success: it counts its requests, or its time.
    func hasDecided(_ end: ProcessEnd) -> Bool {
        hasStarted && !isLeaving && end == .exited(code: 0)
    }

    /// Whether the foreign program is started again at the same socket.
    ///
    /// One that ended with success, or of a signal from outside, starts as well as it did before; of any
    /// other one it is known only when it has lived for a while.
    func isRestarted(_ end: ProcessEnd, lived: Double) -> Bool {
        guard case .held = state else { return false }
        return end == .exited(code: 0) || end == .killed(signal: 9) || lived >= 1
    }
}
