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
        _ settings: Settings, listeners: [Int32], link: SupervisorLink
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
                accessLog: accessLog)
            try server.start()
        } catch {
            throw HostFailure(reason: "the host cannot start: \(error)")
        }
    }

    /// Serves until there is nothing more to do.
    func run() -> Int32 {
        link.send(.ready)
        while let received = link.receive() {
            handle(received.message, received.descriptors)
        }
        // The supervisor is gone: nobody could start workers or stop us. Nothing outlives it.
        Exit.now(1)
    }

    private func handle(_ message: SupervisorMessage, _ descriptors: [Int32]) {
        switch message {
        case .worker(let index, let id, let pid, let terms):
            let pool = parts.pools[index]
            if terms.endsByItself { pool.conduct.endsByItself() }
            let worker = WorkerConnection(
                id: id, pid: pid, pool: index, path: terms.path, socket: descriptors.first,
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
        case .handOver:
            if let socket = descriptors.first {
                leave(handingOverTo: MessageSocket(Descriptor(owning: socket)))
            }
        case .takeOver:
            if let socket = descriptors.first {
                takeOver(MessageSocket(Descriptor(owning: socket)))
            }
        case .drain: leave(handingOverTo: nil)
        case .reopenLogs:
            log.reopen()
            server.accessLog?.reopen()
        case .start:
            for descriptor in descriptors { closeDescriptor(descriptor) }
        }
    }

    // MARK: Leaving

    /// Accepts nothing more, waits on a thread of its own for what is in flight, and leaves.
    private func leave(handingOverTo newer: MessageSocket?) {
        guard !server.isLeaving else { return }
        server.leave(handingOverTo: newer)
        parts.router.drain()
        let server = server
        let parts = parts
        let link = link
        do throws(SystemError) {
            try Thread.start(named: "mortise leaving") {
                while server.connections.count > 0 { Thread.sleep(milliseconds: 10) }
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

    /// Takes the idle connections of an older host in, on a thread of its own, until that host is gone.
    private func takeOver(_ older: MessageSocket) {
        let server = server
        let log = log
        do throws(SystemError) {
            try Thread.start(named: "mortise takeover") {
                while let message = try? older.receive(wait: true), !message.descriptors.isEmpty {
                    for socket in message.descriptors { server.adopt(socket) }
                }
            }
        } catch {
            log.log(.error, "cannot take connections over: \(error)")
        }
    }
}
