// The thread that looks at the clock: deadlines, growth of the pool, output that lies too long.
// SPDX-License-Identifier: Apache-2.0

import Configuration
import Control
import Synchronization
import Handlers
import Platform

/// Looks at everything that waits, many times a second while there is work and seldom otherwise.
struct Monitor {
    let server: HostServer
    private let processors = Thread.processors
    private var growth = GrowthRule()
    private var lastSweep = Instant(nanoseconds: 0)
    private var lastFlush = Instant(nanoseconds: 0)

    init(server: HostServer) { self.server = server }

    mutating func run() {
        while true {
            Thread.sleep(milliseconds: growth.isWatching ? 4 : 20)
            CoarseClock.tick()
            server.health?.tick()
            look(at: .now)
        }
    }

    private mutating func look(at now: Instant) {
        let waiting = server.pool.countWaiting()
        let hasReadyWork =
            waiting == 0
            && Socket.wait(server.poller.descriptor.number, for: .readable, milliseconds: 0)
                .contains(.readable)
        let grows = growth.look(
            waiting: waiting, hasReadyWork: hasReadyWork,
            isComputing: server.pool.isComputing(processors: processors))
        if grows { grow(with: nil) }
        server.isSaturated.store(waiting == 0, ordering: .relaxed)
        if let stuck = server.pool.findStuck() { grow(with: stuck.batch) }
        if now.seconds(since: lastFlush) >= 0.05 {
            lastFlush = now
            server.activities.flushStale()
        }
        guard now.seconds(since: lastSweep) >= 0.1 else { return }
        lastSweep = now
        server.connections.visit { $0.expire(at: now, handsOver: server.isLeaving) }
        server.router.expire(at: now)
        server.accessLog?.flush()
        if server.isAcceptPaused.exchange(false, ordering: .relaxed) { server.acceptAll() }
    }

    private func grow(with events: EventBatch?) {
        do throws(SystemError) {
            _ = try server.pool.grow(server: server, isPermanent: false, with: events)
        } catch {
            server.errorLog.log(
                .error,
                "cannot start another thread: \(error); requests wait for the threads there are")
        }
    }
}
