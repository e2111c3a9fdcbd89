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
            handle(received.message, received.descriptors.first)
        }
        // The supervisor is gone: nobody could start workers or stop us. Nothing outlives it.
        Exit.now(1)
    }

    private func handle(_ message: SupervisorMessage, _ descriptor: Int32?) {
        switch message {
        case .worker(let pool, let id, let pid):
            guard let socket = descriptor else {
                link.send(.releaseWorker(id: id, reason: .idle))
                return parts.pools[pool].denied(
                    reason: "the host has too many open files", retryAfter: 1)
            }
            let worker = WorkerConnection(
                id: id, pid: pid, pool: pool, socket: Descriptor(owning: socket))
            parts.pools[pool].granted(worker)
        case .noWorker(let pool, let reason, let seconds):
            parts.pools[pool].denied(reason: reason, retryAfter: seconds)
        case .returnWorker(let pool): parts.pools[pool].giveBack()
        case .workerEnded(let id, _):
            for pool in parts.pools { pool.workerEnded(id) }
        case .scriptFailed, .scriptEnded:
            parts.scripts.note(message)
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
