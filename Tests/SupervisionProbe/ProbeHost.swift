// A host that answers no requests but a test's commands, one connection at a time.
// SPDX-License-Identifier: Apache-2.0

import Configuration
import Control
import Platform
import Synchronization

final class ProbeHost {
    private let socket = MessageSocket(Descriptor(owning: 3))
    private var listener: Int32 = -1
    private var workers: [UInt64: LineConnection] = [:]
    private var pids: [UInt64: Int32] = [:]
    /// What the supervisor has said, as text.
    private var heard: [String] = []
    private var scripts: UInt64 = 0
    private var configuration = ""
    private var isLeaving = false
    private var kept: [UInt64: LineConnection] = [:]
    private var lastKept: UInt64 = 1
    private var health: HealthPage?
    private let clock = Flag(true)
    private let poller = try! Poller()

    static func run() -> Never {
        let host = ProbeHost()
        host.start()
        host.serve()
    }

    private func send(_ message: HostMessage, _ descriptors: [Int32] = []) {
        try? socket.send(message.encoded(), descriptors: descriptors)
    }

    /// Verdicts, then the configuration, the page of its health, memory for lines, and the listeners.
    private func start() {
        while let next = try? socket.receive(wait: true) {
            guard let message = try? SupervisorMessage(decoding: next.bytes) else { Exit.now(0) }
            if case .start = message { return serve(next.descriptors) }
            heard.append("\(message)")
        }
        Exit.now(0)
    }

    private func serve(_ descriptors: [Int32]) {
        guard descriptors.count >= 5, let text = try? Files.contents(of: descriptors[0]),
            let page = try? HealthPage(mapping: Descriptor(owning: descriptors[1]))
        else { Exit.now(2) }
        configuration = String(decoding: text, as: UTF8.self)
        if configuration.contains("# host fails") {
            send(.failed(reason: "as it was told"))
            Exit.now(1)
        }
        if configuration.contains("# host exits") { Exit.now(3) }
        health = page
        let clock = clock
        try? Thread.start(named: "clock") {
            while true {
                if clock.isOn { page.tick() }
                Thread.sleep(milliseconds: 50)
            }
        }
        listener = descriptors[4]
        try? poller.add(socket.descriptor.number, .readable, token: 0)
        send(.ready)
    }

    private func serve() -> Never {
        while true {
            guard let event = poller.wait(milliseconds: -1) else { continue }
            switch event.token {
            case 0: hear()
            case 1:
                if let connection = try? Socket.accept(listener) {
                    converse(LineConnection(connection.socket))
                }
            default: converse(kept: event.token)
            }
        }
    }

    // MARK: Connections that stay open

    private func keep(_ client: LineConnection) {
        lastKept += 1
        kept[lastKept] = client
        try? poller.add(client.descriptor.number, .readable, token: lastKept)
    }

    private func converse(kept id: UInt64) {
        guard let client = kept[id] else { return }
        if !converse(client) { kept[id] = nil }
        // The last answer of a connection that nobody else took.
        if isLeaving { leaveWhenDone(without: id) }
    }

    private func leave() {
        isLeaving = true
        for id in workers.keys { send(.releaseWorker(id: id, reason: .idle)) }
        for (id, client) in kept {
            try? poller.remove(client.descriptor.number)
            send(.handOver(id: id), [client.descriptor.number])
        }
        leaveWhenDone(without: 0)
    }

    private func leaveWhenDone(without id: UInt64) {
        kept[id] = nil
        guard kept.isEmpty else { return }
        send(.drained)
        Exit.now(0)
    }

    private func adopt(_ id: UInt64, _ descriptor: Int32) {
        if configuration.contains("# host dies of it") { Exit.now(4) }
        let isTaken = !configuration.contains("# host refuses")
        send(.adopted(id: id, accepted: isTaken))
        if isTaken { keep(LineConnection(descriptor)) } else { closeDescriptor(descriptor) }
    }

    /// One command; false at the connection's end.
    @discardableResult
    private func converse(_ client: LineConnection) -> Bool {
        guard let line = client.next() else { return false }
        answer(line, client)
        return true
    }

    private func answer(_ line: String, _ client: LineConnection) {
        let words = line.split(separator: " ", maxSplits: 1).map(String.init)
        let rest = words.count > 1 ? words[1] : ""
        switch words.first {
        case "pid": client.send("\(Exit.processNumber)")
        case "keep":
            client.send("kept")
            keep(client)
        case "files": client.send("\(Limits.openFiles)")
        case "clock":
            clock.set(rest == "on")
            client.send("clock \(rest)")
        case "stick":
            health?.setOldestReady(.now, ofShard: 3)
            client.send("stuck")
        case "deaf":
            client.send("deaf")
            while true { Thread.sleep(milliseconds: 1000) }
        case "heard": client.send(heard.joined(separator: "; "))
        case "workers":
            client.send(
                pids.sorted { $0.key < $1.key }.map { "\($0.key):\($0.value)" }.joined(
                    separator: " "))
        case "want":
            send(.wantWorker(pool: Int(rest) ?? 0))
            client.send("asked")
        case "call":
            guard let id = UInt64(rest), let worker = workers[id] else {
                return client.send("no worker")
            }
            worker.send("called")
            client.send(worker.next() ?? "gone")
        case "begin":
            if let id = UInt64(rest) { workers[id]?.send("sleep") }
            client.send("begun")
        case "release":
            let parts = rest.split(separator: " ")
            let id = UInt64(parts[0]) ?? 0
            let reason = ReleaseReason.allCases.first { "\($0)" == parts[1] }
            (workers[id], pids[id]) = (nil, nil)
            send(.releaseWorker(id: id, reason: reason ?? .idle))
            client.send("released")
        case "script": startScript(rest, client)
        case "scripts":
            let output = (try? Files.open("/dev/null", .readWrite).take()) ?? -1
            for _ in 0..<(Int(rest) ?? 0) {
                scripts += 1
                let script = Script(
                    program: "/bin/sleep", arguments: ["sleep", "1000"], environment: [],
                    folder: "/")
                send(.startScript(id: scripts, script), [output, output, output])
            }
            closeDescriptor(output)
            client.send("started")
        case "endscript":
            send(.endScript(id: UInt64(rest) ?? 0))
            client.send("ended")
        case "nonsense":
            try? socket.send([250, 1, 2, 3])
            client.send("sent")
        case "crash": fatalError("as it was told")
        default: client.send("what?")
        }
    }

    private func startScript(_ command: String, _ client: LineConnection) {
        guard let pipe = try? Files.pipe() else { return }
        scripts += 1
        let script = Script(
            program: "/bin/sh", arguments: ["sh", "-c", command],
            environment: [Array("PATH=/usr/bin:/bin".utf8)], folder: "/")
        send(.startScript(id: scripts, script), [pipe.write, pipe.write, pipe.write])
        closeDescriptor(pipe.write)
        // The first line it writes, while the control socket waits.
        var line: [UInt8] = []
        var byte: UInt8 = 0
        while true {
            let read = withUnsafeMutableBytes(of: &byte) { Files.readPipe(pipe.read, into: $0) }
            guard case .bytes = read, byte != UInt8(ascii: "\n") else { break }
            line.append(byte)
        }
        closeDescriptor(pipe.read)
        client.send("\(scripts) \(String(decoding: line, as: UTF8.self))")
    }

    private func hear() {
        guard let message = try? socket.receive(wait: false) else { return }
        guard let decoded = try? SupervisorMessage(decoding: message.bytes) else { Exit.now(1) }
        heard.append("\(decoded)")
        switch decoded {
        case .worker(_, let id, let pid, _):
            workers[id] = LineConnection(message.descriptors[0])
            pids[id] = pid
        case .workerEnded(let id, _): (workers[id], pids[id]) = (nil, nil)
        case .workerRestarted(_, let id, let pid, _): pids[id] = pid
        case .serve: try? poller.add(listener, .readable, token: 1)
        case .leave: leave()
        case .drain:
            kept = [:]
            leave()
        case .adopt(let id):
            if let descriptor = message.descriptors.first { adopt(id, descriptor) }
        case .handedOver(let id, let accepted):
            if accepted { return leaveWhenDone(without: id) }
            if let client = kept[id] {
                try? poller.add(client.descriptor.number, .readable, token: id)
            }
        default: break
        }
    }
}

/// A switch that two threads see.
final class Flag: Sendable {
    private let value: Atomic<Bool>
    init(_ value: Bool) { self.value = Atomic(value) }
    var isOn: Bool { value.load(ordering: .relaxed) }
    func set(_ new: Bool) { value.store(new, ordering: .relaxed) }
}
