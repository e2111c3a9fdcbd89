// The host process: reads its configuration from the supervisor, serves, and leaves when told.
// SPDX-License-Identifier: Apache-2.0

import Configuration
import Control
import ExtensionHost
import Handlers
import Platform

/// `mortise host`, the process that accepts, parses and answers. Started by the supervisor only.
///
/// Reads the supervisor's messages on the process's first thread; the shards' threads do the rest.
package final class HostProcess {
    private let link: SupervisorLink
    private let host: Host
    private let table: HandlerTable
    private let log = ErrorLog.shared

    /// Serves until the supervisor says stop or is gone; the exit code.
    ///
    /// - Parameter builtInExtensionFolder: Where extensions are looked for last.
    package static func run(builtInExtensionFolder: String) -> Int32 {
        Thread.nameCurrent("mortise-spare")
        guard let link = try? SupervisorLink.inherited() else { return 1 }
        // Without it what extensions print goes where the logs go.
        try? StandardStreams.divert(to: Descriptor(owning: 4))
        guard let start = link.waitForStart() else { return 0 }
        do throws(HostFailure) {
            let settings = try settings(of: start, builtInExtensionFolder)
            return try HostProcess(settings, start, link: link).run()
        } catch {
            link.send(.failed(reason: error.reason))
            ErrorLog.shared.log(.error, error.reason)
            return 1
        }
    }

    /// The same settings the supervisor made of the same text, with what its probes have shown.
    private static func settings(
        of start: SupervisorLink.Start, _ builtInExtensionFolder: String
    ) throws(HostFailure) -> Settings {
        let name = start.configurationName
        let folder = name.lastIndex(of: "/").map { String(name[..<$0]) } ?? ""
        do throws(ConfigurationErrors) {
            var settings = try ConfigurationFile.load(
                text: start.text, name: name, folder: folder.isEmpty ? "/" : folder,
                builtInExtensionFolder: builtInExtensionFolder)
            for case .verdict(let index, let path, let copy, let isInProcess, let problem)
                in start.verdicts
            {
                let home: ExtensionVerdict.Home =
                    if let problem { .broken(problem) } else {
                        isInProcess ? .inProcess : .isolated
                    }
                settings.apply(
                    ExtensionVerdict(home: home, path: path, copy: copy), toExtension: index)
            }
            return settings
        } catch {
            throw HostFailure(reason: "\(error)")
        }
    }

    private init(
        _ settings: Settings, _ start: SupervisorLink.Start, link: SupervisorLink
    ) throws(HostFailure) {
        self.link = link
        log.open(path: settings.logs.error, process: "host")
        Signal.ignore(.pipe)
        let accessLog = try Self.openAccessLog(settings, start, link)
        // What is wrong with this configuration its first host has said.
        ErrorLog.shared.beSilent(start.isReplacement)
        defer { ErrorLog.shared.beSilent(false) }
        do throws(SystemError) {
            table = HandlerTable(settings, link: link)
            host = try Host(
                settings: settings, listeners: start.listeners, router: table.router, errorLog: log,
                accessLog: accessLog, health: start.health)
            try accessLog?.start()
            try host.start()
        } catch {
            throw HostFailure(reason: "the host cannot start: \(error)")
        }
    }

    private static func openAccessLog(
        _ settings: Settings, _ start: SupervisorLink.Start, _ link: SupervisorLink
    ) throws(HostFailure) -> AccessLog? {
        guard let path = settings.logs.access else { return nil }
        do throws(SystemError) {
            return try AccessLog(
                path: path, lines: start.lines, mayBeMissing: start.isReplacement
            ) {
                link.send(.accessLog, descriptors: [$0])
            }
        } catch {
            throw HostFailure(
                reason: "the access log \(path) cannot be opened (\(error)); correct 'logs.access'")
        }
    }

    private func run() -> Int32 {
        link.send(.ready)
        while let received = link.receive() {
            handle(received.message, received.descriptors.first, isCut: received.isCut)
        }
        // The supervisor is gone: nobody could start workers or stop us. Nothing outlives it.
        Exit.now(1)
    }

    /// Everything the supervisor says. `isCut`: a descriptor came with it and could not be had, which is an
    /// error of that message alone.
    private func handle(_ message: SupervisorMessage, _ descriptor: Int32?, isCut: Bool) {
        switch message {
        case .worker(let index, let id, let pid, let terms):
            let pool = table.pools[index]
            guard !isCut else {
                // The worker has accepted the connection that could not be had, and would not take another.
                link.send(.releaseWorker(id: id, reason: .idle))
                return pool.denied(
                    count: terms.isAsked ? 1 : 0, reason: "the host has too many open files",
                    retryAfter: 1)
            }
            grant(id, pid, of: pool, terms, descriptor)
        case .noWorker(let pool, let count, let reason, let seconds):
            table.pools[pool].denied(count: count, reason: reason, retryAfter: seconds)
        case .workerRestarted(let index, let id, let pid, let end):
            table.pools[index].conduct.worker(id, isProcess: pid)
            if end == .exited(code: 0) { table.pools[index].conduct.endsByItself() }
        case .quarantine(let pool, let seconds, let reason):
            table.pools[pool].quarantine(reason: reason, seconds: seconds)
        case .release(let pool): table.pools[pool].endQuarantine()
        case .returnWorker(let pool): table.pools[pool].giveBack()
        case .retireWorker(let pool, let id): table.pools[pool].retire(id)
        case .workerEnded(let id, _):
            for pool in table.pools { pool.workerEnded(id) }
        case .scriptFailed, .scriptEnded:
            table.scripts.receive(message)
        case .serve: serve()
        case .leave: leave(offering: offer)
        case .adopt(let id): adopt(id, descriptor)
        case .handedOver(let id, let accepted): host.offerWasAnswered(id, accepted: accepted)
        case .drain:
            host.stopOffering()
            leave(offering: nil)
        case .reopenLogs:
            log.reopen()
            host.accessLog?.reopen()
        case .start, .verdict:
            if let descriptor { closeDescriptor(descriptor) }
        }
    }

    /// Without a connection that is there already the first request makes one.
    private func grant(
        _ id: UInt64, _ pid: Int32, of pool: WorkerPool, _ terms: WorkerTerms, _ socket: Int32?
    ) {
        if terms.endsByItself { pool.conduct.endsByItself() }
        let worker = WorkerConnection(
            id: id, pid: pid, pool: pool.index, path: terms.path, socket: socket,
            conduct: pool.conduct)
        pool.granted(worker, isAsked: terms.isAsked)
    }

    /// An idle connection of an older host. The answer goes out before its first byte is read.
    private func adopt(_ id: UInt64, _ socket: Int32?) {
        let slot = socket == nil ? nil : host.takeSlot()
        link.send(.adopted(id: id, accepted: slot != nil))
        guard let socket else { return }
        if let slot { slot.shard.adopt(socket, into: slot) } else { closeDescriptor(socket) }
    }

    private var offer: Host.Offer {
        let link = link
        return { link.send(.handOver(id: $0), descriptors: [$1]) }
    }

    /// Stood by until now.
    private func serve() {
        Thread.nameCurrent("mortise-host")
        do throws(SystemError) {
            let link = link
            let limits = table.callLimits
            let handlers = table.handlers
            var keeper = Housekeeping(
                host: host, pools: table.pools, handlers: handlers.compactMap(\.self))
            keeper.whenWrittenOff = { call, isTooMuch in
                let index = Int(call.tag) - 1
                link.send(
                    .callOverdue(
                        extension: index, request: call.request, seconds: limits[index],
                        isTooMuch: isTooMuch))
            }
            try keeper.start()
            host.willOffer(offer)
            LastWill(of: host, to: link).make()
            try host.listen()
        } catch {
            log.log(.error, "the host cannot serve: \(error); another takes over")
            Exit.now(1)
        }
    }

    // MARK: Leaving

    /// Accepts nothing more, waits on a thread of its own for what is in flight, and leaves.
    private func leave(offering offer: Host.Offer?) {
        guard !host.isLeaving else { return }
        Thread.nameCurrent("mortise-leaving")
        host.leave(offering: offer)
        for pool in table.pools { pool.drain() }
        let departure = Departure(host: host, table: table, link: link)
        do throws(SystemError) {
            try Thread.start(named: "mortise leaving") { departure.run() }
        } catch {
            log.log(.error, "the host cannot wait for its requests: \(error); leaving at once")
            Exit.now(1)
        }
    }
}

/// Why a host cannot serve.
struct HostFailure: Error {
    let reason: String
}

/// What a leaving host waits for before its process ends.
private struct Departure: Sendable {
    let host: Host
    let table: HandlerTable
    let link: SupervisorLink

    func run() {
        while host.connectionCount > 0 {
            Thread.sleep(milliseconds: 10)
            host.wakeIdle()
        }
        for pool in table.pools { pool.drain() }
        terminateExtensions()
        host.accessLog?.finish()
        link.send(.drained)
        Exit.now(0)
    }

    /// No request is outstanding. An extension that takes more than 5 s is left.
    private func terminateExtensions() {
        try? Thread.start(named: "mortise exit") {
            Thread.sleep(milliseconds: 5000)
            ErrorLog.shared.log(
                .warning, "TerminateExtension did not return within 5 s; leaving without it")
            Exit.now(0)
        }
        for library in table.extensions { library.terminate() }
    }
}
