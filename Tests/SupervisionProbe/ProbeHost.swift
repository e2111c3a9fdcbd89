// A host that answers no requests but a test's commands, one connection at a time.
// SPDX-License-Identifier: Apache-2.0

import Configuration
import Control
import Platform

final class ProbeHost {
    private let socket = MessageSocket(Descriptor(owning: 3))
    private var listener: Int32 = -1
    private var workers: [UInt64: LineConnection] = [:]
    private var pids: [UInt64: Int32] = [:]
    /// What the supervisor has said, as text.
    private var heard: [String] = []
    private var scripts: UInt64 = 0

    static func run() -> Never {
        let host = ProbeHost()
        host.start()
        host.serve()
    }

    private func send(_ message: HostMessage, _ descriptors: [Int32] = []) {
        try? socket.send(message.encoded(), descriptors: descriptors)
    }

    private func start() {
        guard let first = try? socket.receive(wait: true), first.descriptors.count >= 2,
            let text = try? Files.contents(of: first.descriptors[0])
        else { Exit.now(0) }
        let configuration = String(decoding: text, as: UTF8.self)
        if configuration.contains("# host fails") {
            send(.failed(reason: "as it was told"))
            Exit.now(1)
        }
        if configuration.contains("# host exits") { Exit.now(3) }
        listener = first.descriptors[1]
        send(.ready)
    }

    private func serve() -> Never {
        while true {
            let (control, client) = Socket.wait(
                socket.descriptor.number, for: .readable, or: listener, for: .readable,
                milliseconds: -1)
            if !control.isEmpty { hear() }
            if !client.isEmpty, let connection = try? Socket.accept(listener) {
                converse(LineConnection(connection.socket))
            }
        }
    }

    /// One command a connection.
    private func converse(_ client: LineConnection) {
        guard let line = client.next() else { return }
        let words = line.split(separator: " ", maxSplits: 1).map(String.init)
        let rest = words.count > 1 ? words[1] : ""
        switch words.first {
        case "pid": client.send("\(Exit.processNumber)")
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
        case .handOver, .drain:
            for id in workers.keys { send(.releaseWorker(id: id, reason: .idle)) }
            send(.drained)
            Exit.now(0)
        default: break
        }
    }
}
