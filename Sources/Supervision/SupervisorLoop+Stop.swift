// The end: first the requests, then the hosts, then the workers, then the supervisor.
// SPDX-License-Identifier: Apache-2.0

import Configuration
import Control
import Platform

extension SupervisorLoop {
    /// SIGTERM or SIGINT: the first lets requests finish, the second does not.
    func stop() {
        guard phase == .serving else { return stopAtOnce("told twice") }
        log.log(.notice, "stopping: requests in flight may finish")
        phase = .draining(until: Instant.now.adding(seconds: settings.timeouts.drain))
        cancelReload()
        // With the hosts' copies gone too, new connections are refused at once instead of forgotten.
        for listener in listeners { listener.removeFile() }
        listeners = []
        for host in hosts.values {
            switch host.state {
            case .spare: kill(host)
            case .starting, .serving: tell(host, .drain)
            case .leaving, .killed: break
            }
        }
        for pool in Array(livingPools.values) { apply(.retired, to: pool) }
        if hosts.isEmpty { endWorkers() }
    }

    func stopAtOnce(_ reason: String?) {
        if let reason { log.log(.warning, "stopping at once: \(reason)") }
        cancelReload()
        for host in hosts.values { kill(host) }
        phase = .ending
        for pool in Array(livingPools.values) {
            apply(.retired, to: pool)
            for worker in pool.workers.values { worker.process.signalGroup(.kill) }
        }
    }

    /// No host is left that could hold a worker: the ledgers end them, gently at first.
    func endWorkers() {
        phase = .ending
        for pool in Array(livingPools.values) { apply(.retired, to: pool) }
    }

    private func cancelReload() {
        (hostStart, spareStart, reloadIsWanted) = (nil, nil, false)
        guard let reload else { return }
        self.reload = nil
        if let host = hosts[reload.host] { kill(host) }
        abandon(reload)
    }
}
