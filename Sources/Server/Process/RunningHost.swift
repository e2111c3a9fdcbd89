// A host that serves: its server, its pools, and the conversation with the supervisor.
// SPDX-License-Identifier: Apache-2.0

import Configuration
import Control
import ExtensionHost
import Handlers
import Platform

/// Reads the supervisor's messages on the process's first thread; the pool's threads do the rest.
final class RunningHost {
    private let link: SupervisorLink
    private let server: HostServer
    private let parts: HostParts
    private let log = ErrorLog.shared

    init(
        _ settings: Settings, listeners: [Int32], health: HealthPage, link: SupervisorLink
    ) throws(HostFailure) {
        self.link = link
        log.open(path: settings.logs.error, process: "host")
        Signal.ignore(.pipe)
        do throws(SystemError) {
            let accessLog = try settings.logs.access.map { (path) throws(SystemError) in
                try AccessLog(path: path)
            }
            parts = HostParts(settings, link: link)
            server = try HostServer(
                settings: settings, listeners: listeners, router: parts.router, errorLog: log,
                accessLog: accessLog, health: health)
            try server.start()
        } catch {
            throw HostFailure(reason: "the host cannot start: \(error)")
        }
    }

    /// Serves until there is nothing more to do.
    func run() -> Int32 {
        link.send(.ready)
        while let received = link.receive() {
            handle(received.message, received.descriptors.first, isCut: received.isCut)
        }
        // The supervisor is gone: nobody could start workers or stop us. Nothing outlives it.
        Exit.now(1)
    }

    private func handle(_ message: SupervisorMessage, _ descriptor: Int32?, isCut: Bool) {
        switch message {
        case .worker(let index, let id, let pid, let terms):
            let pool = parts.pools[index]
            guard !isCut else {
                // The worker has accepted the connection that could not be had, and would not take another.
                link.send(.releaseWorker(id: id, reason: .idle))
                return pool.denied(
                    count: terms.isAsked ? 1 : 0, reason: "the host has too many open files",
                    retryAfter: 1)
            }
            if terms.endsByItself { pool.conduct.endsByItself() }
            let worker = WorkerConnection(
                id: id, pid: pid, pool: index, path: terms.path, socket: descriptor,
                conduct: pool.conduct)
            pool.granted(worker, isAsked: terms.isAsked)
        case .noWorker(let pool, let count, let reason, let seconds):
            parts.pools[pool].denied(count: count, reason: reason, retryAfter: seconds)
        case .workerRestarted(let pool, let id, let pid, let end):
            parts.pools[pool].conduct.worker(id, isProcess: pid)
            if end == .exited(code: 0) { parts.pools[pool].conduct.endsByItself() }
        case .returnWorker(let pool): parts.pools[pool].giveBack()
        case .workerEnded(let id, _):
            for pool in parts.pools { pool.workerEnded(id) }
        case .scriptFailed, .scriptEnded:
            parts.scripts.receive(message)
        case .leave:
            let link = link
            leave { link.send(.handOver(id: $0), descriptors: [$1]) }
        case .adopt(let id):
            let isTaken = descriptor != nil && server.hasRoom
            link.send(.adopted(id: id, accepted: isTaken))
            guard let descriptor else { return }
            if isTaken { server.adopt(descriptor) } else { closeDescriptor(descriptor) }
        case .handedOver(let id, let accepted): server.handedOver(id, accepted: accepted)
        case .drain:
            server.stopHandingOver()
            leave { _, _ in false }
        case .reopenLogs:
            log.reopen()
            server.accessLog?.reopen()
        case .start, .verdict:
            if let descriptor { closeDescriptor(descriptor) }
        }
    }

    // MARK: Leaving

    /// Accepts nothing more, waits on a thread of its own for what is in flight, and leaves.
    private func leave(_ offer: @escaping HostServer.Offer) {
        guard !server.isLeaving else { return }
        server.leave(offer)
        parts.router.drain()
        let server = server
        let parts = parts
        let link = link
        do throws(SystemError) {
            try Thread.start(named: "mortise leaving") {
                while !server.isEmpty { Thread.sleep(milliseconds: 10) }
                parts.router.drain()
                parts.terminateExtensions()
                server.accessLog?.flush()
                link.send(.drained)
                Exit.now(0)
            }
        } catch {
            log.log(.error, "the host cannot wait for its requests: \(error); leaving at once")
            Exit.now(1)
        }
    }
}
