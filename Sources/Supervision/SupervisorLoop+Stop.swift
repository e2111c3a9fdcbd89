// The end: first the requests, then the hosts, then the workers, then the supervisor.
// SPDX-License-Identifier: Apache-2.0

import Configuration
import Control
import Platform

extension SupervisorLoop {
    /// Seconds in which the workers end when no request is left.
    private static let endPatience = 20.0

    /// SIGTERM or SIGINT: the first lets requests finish, the second does not.
    func stop() {
        guard phase == .serving else { return stopAtOnce("told twice") }
        log.log(.notice, "stopping: requests in flight may finish")
        phase = .draining
        tellManager {
            $0.stops(
                "stopping: requests finish", within: settings.timeouts.drain + Self.endPatience)
        }
        times[.stopAtOnce] = Instant.now.adding(seconds: settings.timeouts.drain)
        cancelChange()
        // New connections are refused at once instead of forgotten; those to a socket of the service
        // manager wait for the next server.
        for listener in listeners { listener.close() }
        (listeners, inherited) = ([], [])
        for host in hosts.values {
            switch host.state {
            case .starting, .ready, .serving, .leaving: tell(host, .drain)
            case .killed: break
            }
        }
        retireAll()
        if hosts.isEmpty { endWorkers() }
    }

    func stopAtOnce(_ reason: String?) {
        if let reason { log.log(.warning, "stopping at once: \(reason)") }
        tellManager { $0.stops(reason ?? "the server cannot start", within: Self.endPatience) }
        cancelChange()
        for host in hosts.values { kill(host) }
        phase = .ending
        retireAll()
        for pool in livingPools.values {
            for worker in pool.workers.values { worker.process.signalGroup(.kill) }
        }
    }

    /// No host is left that could hold a worker: the ledgers end them, gently at first.
    func endWorkers() {
        phase = .ending
        retireAll()
    }

    private func retireAll() { retire(Array(livingPools.values)) }

    private func cancelChange() {
        reloadIsWanted = false
        reloadBegins()
        reloadEnded(OperatorAnswer(isGood: false, "the server is stopping\n"))
        rollbacks = [:]
        for timer in [Timer.startHosts, .checkPlaces, .checkFiles] { times[timer] = .never }
        endProbing()
        guard let reload else { return }
        self.reload = nil
        if let host = hosts[reload.host] { kill(host) }
        abandon(reload)
    }
}
