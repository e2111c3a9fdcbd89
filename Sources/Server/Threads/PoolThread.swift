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
    /// Counts events begun: a thread whose count stands still is in somebody else's code.
    let progress = Atomic<UInt32>(0)
    /// Events taken from epoll together.
    let batch = EventBatch()
    /// Looks that have found the same progress; the monitor's.
    var lastProgress: UInt32 = 0
    /// Events to come that are taken one by one, for the last one waited for a worker or a script.
    private var lonely = 0
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
            guard let event = batch.next() else {
                if waitForEvents() { continue }
                break
            }
            progress.store(progress.load(ordering: .relaxed) &+ 1, ordering: .relaxed)
            server.dispatch(event.token, event.events, on: self)
        }
        if let spare { server.activities.give(spare) }
        spare = nil
        hasLeft.store(true, ordering: .releasing)
    }

    /// Begins what the batch holds, on the calling thread.
    func runBatch() {
        while let event = batch.next() {
            server.dispatch(event.token, event.events, on: self)
            while let connection = next {
                next = nil
                connection.continueHeld(on: self)
            }
        }
    }

    private func waitForEvents() -> Bool {
        lonely = max(0, lonely - 1)
        // While others wait, each event is somebody's to begin at once.
        let most =
            lonely == 0 && server.isSaturated.load(ordering: .relaxed) ? EventBatch.capacity : 1
        isWaiting.store(true, ordering: .relaxed)
        let hasEvents = batch.fill(
            from: server.poller, most: most, milliseconds: isPermanent ? -1 : Self.idleMilliseconds)
        isWaiting.store(false, ordering: .relaxed)
        return hasEvents
    }

    /// This thread is about to wait for another process: it takes no more than one event at a time soon.
    func willBlock() { lonely = 64 }

    /// Goes on with a parked exchange as soon as the connection at hand has to wait.
    func runNext(_ exchange: Exchange) {
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
