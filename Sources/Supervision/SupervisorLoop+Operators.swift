// Operators' verbs: heard on the control socket, answered whatever the pools do.
// SPDX-License-Identifier: Apache-2.0

import Configuration
import Control
import Platform

extension SupervisorLoop {
    // MARK: The socket

    /// In the runtime folder, which only this user may enter.
    func openControlSocket() {
        let path = "\(folder.path)/\(OperatorLine.socketName)"
        do throws(SystemError) {
            let listener = try Socket.listen(.unix(path), backlog: 64, isPrivate: true)
            if let old = control { unwatch(old.descriptor.number) }
            control = SharedDescriptor(listener)
            watch(control!.descriptor.number, .control)
        } catch {
            logShortage("no control socket at \(path): \(error); 'mortise status' finds no server")
        }
    }

    func acceptOperator() {
        guard let listener = control?.descriptor.number,
            let (socket, _) = try? Socket.accept(listener)
        else { return }
        let connection = OperatorConnection(Descriptor(owning: socket))
        guard operators.count < OperatorConnection.most else { return }
        let id = newNumber()
        operators[id] = connection
        times[.operator(id)] = Instant.now.adding(seconds: OperatorConnection.patience)
        watch(socket, .operator(id))
        serveOperator(id)
    }

    /// Something can be read or sent.
    func serveOperator(_ id: UInt64) {
        guard let connection = operators[id] else { return }
        if let request = connection.read() { carryOut(request, of: id) }
        connection.send()
        finishOperator(id)
    }

    /// It has taken too long, unless its request is under way here.
    func operatorIsLate(_ id: UInt64) {
        guard let connection = operators[id] else { return }
        if connection.state == .waiting {
            times[.operator(id)] = Instant.now.adding(seconds: OperatorConnection.patience)
        } else {
            closeOperator(id)
        }
    }

    private func finishOperator(_ id: UInt64) {
        guard let connection = operators[id] else { return }
        switch connection.state {
        case .over: closeOperator(id)
        case .sending: watch(connection.socket.number, isWritable: true)
        case .reading, .waiting: break
        }
    }

    private func closeOperator(_ id: UInt64) {
        guard let connection = operators.removeValue(forKey: id) else { return }
        times[.operator(id)] = .never
        unwatch(connection.socket.number)
    }

    private func answer(_ id: UInt64, _ answer: OperatorAnswer) {
        operators[id]?.answer(answer)
        finishOperator(id)
    }

    // MARK: Verbs

    private func carryOut(_ request: OperatorRequest, of id: UInt64) {
        switch request {
        case .who: answer(id, OperatorAnswer(options.absolutePath))
        case .status(let json):
            let report = StatusReport(self)
            answer(id, OperatorAnswer(json ? report.json.written + "\n" : report.text))
        case .crashes(let json): answer(id, OperatorAnswer(crashes(json: json)))
        case .reload:
            guard phase == .serving else { return answer(id, Self.stopping) }
            reloadWaiters.append(id)
            wantReload()
        case .recycle(nil): answer(id, recycle())
        case .recycle(let name?): answer(id, recycle(workersOf: name))
        case .stop:
            answer(id, OperatorAnswer("stopping: requests in flight may finish\n"))
            stop()
        case .quarantine(let name): answer(id, quarantine(name))
        case .release(let name): answer(id, release(name))
        }
    }

    private static let stopping = OperatorAnswer(isGood: false, "the server is stopping\n")

    private func crashes(json: Bool) -> String {
        if json { return JSONValue.list(records.map(\.json)).written + "\n" }
        guard !records.isEmpty else { return "no crash since the server was started\n" }
        return records.map { "\($0.timestamp) \($0.sentence)\n" }.joined()
    }

    private func recycle() -> OperatorAnswer {
        guard phase == .serving, let host = current.flatMap({ hosts[$0] }) else {
            return OperatorAnswer(isGood: false, "no host serves now\n")
        }
        log.log(.notice, "host \(host.process.pid) is replaced: an operator has asked for it")
        host.isSpoiled = true
        renewHost()
        keepHosts(.now)
        return OperatorAnswer("host \(host.process.pid) is replaced\n")
    }

    private func recycle(workersOf name: String) -> OperatorAnswer {
        guard phase == .serving else { return Self.stopping }
        guard let pool = pool(named: name) else { return unknown(name) }
        recycle(pool)
        return OperatorAnswer("the workers of \(name) are replaced, one after the other\n")
    }

    private func pool(named name: String) -> PoolProcesses? {
        pools.first { $0.settings.name == name }
    }

    private func quarantine(_ name: String) -> OperatorAnswer {
        guard let pool = pool(named: name) else { return unknown(name) }
        if let entry = settings.extensions.first(where: { $0.name == name }),
            entry.verdict?.home == .inProcess
        {
            strikes.demote(name, identity: entry.identity)
            demoteThoseDue()
        }
        apply(.quarantined, to: pool)
        log.log(.warning, "quarantined by an operator", handler: "pool \(name)")
        renewHost()
        keepHosts(.now)
        return OperatorAnswer("\(name) is quarantined until 'mortise release \(name)'\n")
    }

    private func release(_ name: String) -> OperatorAnswer {
        guard let pool = pool(named: name) else { return unknown(name) }
        strikes.release(name)
        versions.release(name)
        apply(.freed, to: pool)
        log.log(.notice, "released by an operator", handler: "pool \(name)")
        retry(name)
        return OperatorAnswer("\(name) starts anew\n")
    }

    private func unknown(_ name: String) -> OperatorAnswer {
        let names = pools.map(\.settings.name).joined(separator: ", ")
        let known = names.isEmpty ? "there is none" : "there are \(names)"
        return OperatorAnswer(isGood: false, "no extension or pool is named \(name); \(known)\n")
    }

    // MARK: Reloads

    /// The next reload begins: those who have asked by now wait for it.
    func reloadBegins() {
        reloadAskers += reloadWaiters
        reloadWaiters = []
    }

    func reloadEnded(_ outcome: OperatorAnswer) {
        if !reloadIsWanted {
            let prefix = outcome.isGood ? "" : "the old configuration stays: "
            tellManager { $0.reloadEnded(prefix + outcome.text) }
        }
        let askers = reloadAskers
        reloadAskers = []
        for id in askers { answer(id, outcome) }
    }
}
