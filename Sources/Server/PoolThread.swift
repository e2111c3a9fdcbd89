// One thread of the pool: waits for an event, and carries it from readiness to answer.
// SPDX-License-Identifier: Apache-2.0

import Handlers
import Platform
import Synchronization

/// A thread's own things. Only the thread uses them, but for the atomics.
final class PoolThread: @unchecked Sendable {
    // because all but the atomics belongs to one thread

    /// True while the thread waits in epoll.
    let isWaiting = Atomic<Bool>(false)
    /// The system's number of the thread (man 2 gettid); 0 before it runs.
    let number = Atomic<Int32>(0)
    /// True once it has left.
    let hasLeft = Atomic<Bool>(false)
    /// A connection whose parked exchange has just been given a worker by this thread.
    private var next: Connection?
    private var spare: Activity?
    private unowned(unsafe) let server: HostServer
    private let isPermanent: Bool

    /// Seconds without work after which a thread that is not permanent leaves.
    private static let idleMilliseconds: Int32 = 10_000

    init(server: HostServer, isPermanent: Bool) {
        self.server = server
        self.isPermanent = isPermanent
    }

    func run() {
        number.store(Thread.current, ordering: .relaxed)
        while true {
            while let connection = next {
                next = nil
                connection.continueHeld(on: self)
            }
            isWaiting.store(true, ordering: .relaxed)
            let event = server.poller.wait(milliseconds: isPermanent ? -1 : Self.idleMilliseconds)
            isWaiting.store(false, ordering: .relaxed)
            guard let event else { break }
            server.dispatch(event.token, on: self)
        }
        if let spare { server.activities.give(spare) }
        spare = nil
        hasLeft.store(true, ordering: .releasing)
    }

    /// Goes on with a parked exchange as soon as the connection at hand has to wait.
    func runNext(_ exchange: HTTPExchange) {
        guard next == nil, let connection = exchange.owner as? Connection else {
            // The connection at hand has had two requests answered in one turn: another thread takes this.
            exchange.complete()
            return
        }
        next = connection
    }

    func takeActivity() -> Activity {
        guard let activity = spare else { return server.activities.take() }
        spare = nil
        return activity
    }

    func give(_ activity: Activity) {
        if spare == nil { spare = activity } else { server.activities.give(activity) }
    }
}
