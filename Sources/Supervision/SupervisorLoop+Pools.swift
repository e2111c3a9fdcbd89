// Workers: started, connected, watched, reaped, as the pools' ledgers decide.
// SPDX-License-Identifier: Apache-2.0

import Configuration
import Control
import Platform

extension SupervisorLoop {
    /// A pool that keeps its minimum from now on.
    func startPool(
        _ settings: Settings.Pool, of configuration: Settings, replacing old: PoolProcesses?
    ) -> PoolProcesses {
        let pool = PoolProcesses(
            key: newNumber(), settings, of: configuration, replacing: old)
        livingPools[pool.key] = pool
        scheduleTick(of: pool)
        return pool
    }

    /// Tells the ledger of an event and does what it answers, until it has no more wishes.
    func apply(_ event: PoolLedger.Event, to pool: PoolProcesses) {
        var events = [event]
        while let next = events.popLast() {
            if let old = pool.predecessor, livingPools[old.key] == nil { pool.predecessor = nil }
            pool.ledger.elsewhere = pool.predecessor?.processCount ?? 0
            for action in pool.ledger.apply(next, now: .now) {
                if let answer = carryOut(action, pool) { events.append(answer) }
            }
        }
        forgetWorkers(pool)
        if pool.ledger.isOver && !hosts.values.contains(where: { $0.uses(pool) }) {
            livingPools[pool.key] = nil
        }
        scheduleTick(of: pool)
    }

    /// What came of the action, when the ledger has to know at once.
    private func carryOut(_ action: PoolLedger.Action, _ pool: PoolProcesses) -> PoolLedger.Event? {
        switch action {
        case .spawn: return startWorker(of: pool)
        case .reconnect(let id): return reconnect(id, pool)
        case .check(let id):
            if pool.workers[id]?.connection == nil { return reconnect(id, pool) }
            return pool.workers[id]?.hasAccepted == true ? .accepted(id) : nil
        case .restart(let id, let end): return restart(id, after: end, pool)
        case .grant(let id, let host, let isAsked): grant(id, pool, to: host, isAsked: isAsked)
        case .deny(let id, let count, let reason, let seconds):
            if let host = hosts[id], let index = host.index(of: pool) {
                tell(
                    host,
                    .noWorker(
                        pool: index, count: count, reason: reason, retryAfterSeconds: seconds))
            }
        case .quarantine(let reason, let seconds):
            for host in hosts.values {
                guard let index = host.index(of: pool) else { continue }
                tell(host, .quarantine(pool: index, seconds: seconds, reason: reason))
            }
        case .release:
            for host in hosts.values {
                if let index = host.index(of: pool) { tell(host, .release(pool: index)) }
            }
        case .reclaim(let id):
            if let host = hosts[id], let index = host.index(of: pool) {
                tell(host, .returnWorker(pool: index))
            }
        case .retire(let id, let host):
            if let host = hosts[host], let index = host.index(of: pool) {
                tell(host, .retireWorker(pool: index, id: id))
            }
        case .terminate(let id):
            pool.workers[id]?.process.signal(.terminate)
            // php-cgi ignores the signal while it reads: only the end of the connection ends it.
            pool.workers[id]?.connection = nil
        case .kill(let id): pool.workers[id]?.process.signalGroup(.kill)
        case .tellEnded(let id, let end, let host):
            if let host = hosts[host] { tell(host, .workerEnded(id: id, end)) }
        case .log(let text):
            // At the very end workers are killed by us, which no line has to explain.
            if phase != .ending, let line = pool.limited(text, now: .now) {
                log.log(.warning, line, handler: "pool \(pool.settings.name)")
            }
        }
        return nil
    }

    func spawn(_ pool: PoolProcesses) -> PoolLedger.Event {
        let id = newNumber()
        do throws(WorkerStart.Failure) {
            let command = try WorkerStart(
                pool: pool.settings, settings: pool.configuration, identities,
                mortise: options.programPath)
            do throws(SystemError) {
                let worker = try start(command, id)
                pool.workers[id] = worker
                watchProcess(of: worker, id, pool)
                return .spawned(id)
            } catch {
                return .spawnFailed(reason: "could not be started: \(command.program): \(error)")
            }
        } catch {
            return .spawnFailed(reason: error.reason)
        }
    }

    private func start(_ command: WorkerStart, _ id: UInt64) throws(SystemError) -> WorkerProcess {
        let path = "\(folder.path)/w\(id)"
        let listener = try Socket.listen(.unix(path), blocking: true, isPrivate: true)
        do throws(SystemError) {
            // The host's user may connect, and root: no other process can reach the worker.
            if let host = command.host { try Files.give(path, to: host) }
            // The connection first: it waits in the queue until the program accepts it.
            let connection = try Socket.connect(.unix(path), milliseconds: 10)
            let started = try execute(command, listener: listener.number)
            let worker = WorkerProcess(started, listener: listener, path: path)
            worker.connection = SharedDescriptor(connection)
            return worker
        } catch {
            PrivateFolder.removeFile(path)
            throw error
        }
    }

    /// A process that listens where the last one of this worker did: connections that wait are its own.
    private func restart(
        _ id: UInt64, after end: ProcessEnd, _ pool: PoolProcesses
    ) -> PoolLedger.Event? {
        guard let worker = pool.workers[id] else { return nil }
        func failed(_ reason: String) -> PoolLedger.Event {
            .restartFailed(id, after: end, reason: reason)
        }
        do throws(WorkerStart.Failure) {
            let command = try WorkerStart(
                pool: pool.settings, settings: pool.configuration, identities,
                mortise: options.programPath)
            do throws(SystemError) {
                worker.replace(by: try execute(command, listener: worker.listener.number))
                watchProcess(of: worker, id, pool)
            } catch {
                return failed("could not be started: \(command.program): \(error)")
            }
        } catch {
            return failed(error.reason)
        }
        for host in hosts.values where pool.ledger.workers[id]?.state == .held(by: host.id) {
            guard let index = host.index(of: pool) else { continue }
            tell(
                host, .workerRestarted(pool: index, id: id, pid: worker.process.pid, after: end))
        }
        return nil
    }

    private func watchProcess(of worker: WorkerProcess, _ id: UInt64, _ pool: PoolProcesses) {
        known.insert(worker.process.pid)
        watch(worker.process.handle.number, .workerEnd(pool: pool.key, id))
        watch(worker.outputPipe, .workerOutput(pool: pool.key, id))
    }

    private func execute(
        _ command: WorkerStart, listener: Int32
    ) throws(SystemError) -> StartedProcess {
        let ends = try Files.pipe()
        let outputPipe = Descriptor(owning: ends.read)
        let inputPipe = Descriptor(owning: ends.write)
        Files.setNonBlocking(outputPipe.number)
        var start = ProcessStart(program: command.program, arguments: command.arguments)
        start.environment = command.environment.map { Array($0.utf8) }
        start.folder = command.folder
        start.confinement = command.confinement
        // The host's thread that sends a request is about to wait for the answer: on a busy processor the
        // worker runs a moment later, and two switches a request are saved.
        start.isBatch = true
        start.descriptors = [listener, inputPipe.number, inputPipe.number]
        var faults: SharedDescriptor?
        var settingsFile: SharedDescriptor?
        if command.isWorker {
            let page = SharedDescriptor(try FaultPage.makeFile())
            start.descriptors.append(page.descriptor.number)
            start.environment += [
                Array("\(RuntimeFolder.variable)=\(folder.path)".utf8),
                Array("\(WorkerSettings.faultPageVariable)=3".utf8),
            ]
            faults = page
            let settings = SharedDescriptor(try WorkerSettings.file(command.settings))
            start.descriptors.append(settings.descriptor.number)
            start.environment.append(Array("\(WorkerSettings.fileVariable)=4".utf8))
            settingsFile = settings
        }
        let process = try withExtendedLifetime(settingsFile) { () throws(SystemError) in
            try ChildProcess(start)
        }
        return StartedProcess(process: process, outputPipe: outputPipe.take(), faults: faults)
    }

    private func reconnect(_ id: UInt64, _ pool: PoolProcesses) -> PoolLedger.Event? {
        guard let worker = pool.workers[id] else { return nil }
        do throws(SystemError) {
            try worker.connect()
            return nil
        } catch {
            guard error.isShortage else { return .unreachable(id, reason: "\(error)") }
            logShortage(
                "no connection to a worker for now: \(error); it is tried again; raise the limit on"
                    + " open files", handler: "pool \(pool.settings.name)")
            return .connectionsAreShort(id)
        }
    }

    private func grant(
        _ id: UInt64, _ pool: PoolProcesses, to hostID: UInt64, isAsked: Bool
    ) {
        guard let worker = pool.workers[id], let host = hosts[hostID],
            let index = host.index(of: pool)
        else { return }
        let terms = WorkerTerms(
            path: worker.path, isAsked: isAsked, endsByItself: pool.ledger.endsByItself)
        let message = SupervisorMessage.worker(
            pool: index, id: id, pid: worker.process.pid, terms)
        // Shared: the connection goes to the next host if this one does not use it.
        if let connection = worker.connection {
            tell(host, message, passing: connection)
        } else {
            tell(host, message)
        }
    }

    /// Closes the sockets of workers that the ledger no longer knows.
    private func forgetWorkers(_ pool: PoolProcesses) {
        guard pool.workers.count > pool.ledger.workers.count else { return }
        for (id, worker) in pool.workers where pool.ledger.workers[id] == nil {
            PrivateFolder.removeFile(worker.path)
            pool.workers[id] = nil
        }
    }

    func workerEnded(pool key: UInt64, _ id: UInt64) {
        guard let pool = livingPools[key], let worker = pool.workers[id],
            worker.process.end() != nil
        else { return }
        // Its last words first.
        readOutput(pool: key, id)
        unwatch(worker.outputPipe)
        worker.closeOutput()
        unwatch(worker.process.handle.number)
        // What it left in its group ends while its number is still its own.
        worker.process.signalGroup(.kill)
        let end = worker.process.reap() ?? .killed(signal: Signal.kill.rawValue)
        known.remove(worker.process.pid)
        worker.output.flush(&pool.outputLimit, now: .now) {
            logLine($0, dropped: $1, pool, worker)
        }
        wantOrphanSweep()
        let isKnown = workerDied(worker, ProcessEnd(end), of: pool)
        apply(.ended(id, ProcessEnd(end), isExplained: isKnown), to: pool)
        // Pools that replace this one have room now.
        for other in livingPools.values where other.predecessor === pool { apply(.tick, to: other) }
    }

    func readOutput(pool key: UInt64, _ id: UInt64) {
        guard let pool = livingPools[key], let worker = pool.workers[id], worker.outputPipe >= 0
        else { return }
        withUnsafeTemporaryAllocation(byteCount: 16384, alignment: 1) { room in
            // A few rounds: a worker that writes without end must not keep us from the others.
            for _ in 0..<4 {
                switch Files.readPipe(worker.outputPipe, into: room) {
                case .bytes(let count):
                    let bytes = UnsafeBufferPointer(
                        start: room.baseAddress!.assumingMemoryBound(to: UInt8.self), count: count)
                    worker.output.append(bytes, &pool.outputLimit, now: .now) {
                        logLine($0, dropped: $1, pool, worker)
                    }
                case .end:
                    unwatch(worker.outputPipe)
                    worker.closeOutput()
                    return
                case .wouldBlock: return
                }
            }
        }
    }

    private func logLine(
        _ bytes: UnsafeBufferPointer<UInt8>, dropped: Int, _ pool: PoolProcesses,
        _ worker: WorkerProcess
    ) {
        let handler = "pool \(pool.settings.name)"
        if dropped > 0 {
            log.log(
                .warning, "\(dropped) lines of its output were dropped", handler: handler,
                pid: worker.process.pid)
        }
        // What a program prints is a notice unless it says otherwise.
        let (level, text) = LogLevel.taken(from: bytes) ?? (.notice, bytes)
        log.log(level, bytes: text, handler: handler, pid: worker.process.pid)
    }
}

extension HostProcess {
    func index(of pool: PoolProcesses) -> Int? { pools.firstIndex { $0 === pool } }
    func uses(_ pool: PoolProcesses) -> Bool { pools.contains { $0 === pool } }
}
