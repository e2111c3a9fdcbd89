// What a connection needs only while something is going on: an idle one holds none of it.
// SPDX-License-Identifier: Apache-2.0

import Exchange
import Handlers
import Platform
import Synchronization

/// The buffers and parsers of one active connection, and its exchange. Reused by other connections.
final class Activity {
    let exchange: Exchange
    var input = InputBuffer()
    var parser: RequestParser
    var chunks = ChunkedDecoder()
    /// Its place in the stock's list.
    var index = 0
    /// Body bytes still to come, when the request has a Content-Length.
    var bodyLeft: Int64 = 0

    init(exchange: Exchange, limits: RequestLimits) {
        self.exchange = exchange
        parser = RequestParser(limits: limits)
    }

    /// Makes ready for another connection.
    func reset() {
        exchange.end()
        input.removeAll()
        parser.reset()
        bodyLeft = 0
    }
}

/// All activities, and those of them that nobody uses; each pool thread keeps one of its own besides.
final class ActivityStock: Sendable {
    private struct State {
        nonisolated(unsafe) var all: [Activity] = []
        // because the monitor touches only the output of one in use, under the exchange's own lock
        nonisolated(unsafe) var spare: [Activity] = []
        // because nobody else uses an activity that is in the stock
    }

    private let state = Mutex(State())
    private let make: @Sendable () -> Activity

    /// More than these are given back to the system.
    private static let mostSpare = 256

    init(make: @escaping @Sendable () -> Activity) { self.make = make }

    func take() -> Activity {
        state.withLock { state in
            if let spare = state.spare.popLast() { return Unchecked(spare) }
            let activity = make()
            activity.index = state.all.count
            state.all.append(activity)
            return Unchecked(activity)
        }.activity
    }

    func give(_ activity: Activity) {
        let given = Unchecked(activity)
        state.withLock { state in
            if state.spare.count < Self.mostSpare {
                state.spare.append(given.activity)
                return
            }
            let index = given.activity.index
            let last = state.all.removeLast()
            if index < state.all.count {
                state.all[index] = last
                last.index = index
            }
        }
    }

    /// Sends output that has lain in a buffer since the last call: a handler that writes and then
    /// thinks for a while is heard all the same.
    func flushStale() {
        state.withLock { state in
            for activity in state.all { activity.exchange.flushStale() }
        }
    }

    /// Carries an activity over the border of the lock.
    private struct Unchecked: @unchecked Sendable {
        // because one connection at a time uses an activity
        let activity: Activity
        init(_ activity: Activity) { self.activity = activity }
    }
}
