// A supervisor with hosts and workers that do as a test tells them.
// SPDX-License-Identifier: Apache-2.0

import Configuration
import Control
import Platform
import Supervision

/// `serve FILE` supervises; `host` and `worker` are what it starts.
@main
enum SupervisionProbe {
    static func main() {
        let arguments = CommandLine.arguments
        switch arguments.dropFirst().first {
        case "serve":
            var options = Supervisor.Options(
                configurationPath: arguments[2], builtInExtensionFolder: "/nowhere")
            options.hostArguments = ["probe", "host"]
            options.mayBeRoot = true
            Exit.now(Supervisor.run(options))
        case "host": ProbeHost.run()
        case "worker": ProbeWorker.run()
        case "probe": ProbeLibrary.load(arguments.last ?? "")
        default: Exit.now(64)
        }
    }
}

/// "Loads" a library: what happens is in the file's name.
enum ProbeLibrary {
    static func load(_ path: String) -> Never {
        ProbeAnswer.begin(copy: nil)
        if path.contains("spins") { while true { Thread.sleep(milliseconds: 1000) } }
        if path.contains("exits") { Exit.now(0) }
        // Killed from outside, as far as anybody can tell.
        let isKilledAgain = (try? Files.status(path: path + ".killed")) != nil
        if path.contains("killed"), !isKilledAgain || path.contains("always") {
            _ = try? Files.open(path + ".killed", [.writeOnly, .create])
            Orphans.kill(Exit.processNumber)
        }
        ProbeAnswer.declaresThreadSafe.tell()
        Exit.now(0)
    }
}

/// Accepts on descriptor 0, and answers each line with its process number; "sleep" a minute later.
enum ProbeWorker {
    static func run() -> Never {
        while true {
            guard Socket.wait(0, for: .readable, milliseconds: -1).contains(.readable),
                let connection = try? Socket.accept(0)
            else { continue }
            let lines = LineConnection(connection.socket)
            while let line = lines.next() {
                if line == "sleep" { Thread.sleep(milliseconds: 60_000) }
                lines.send("\(line) by \(Exit.processNumber)")
            }
        }
    }
}

/// A blocking connection on which both sides speak lines.
final class LineConnection {
    let descriptor: Descriptor
    private var bytes: [UInt8] = []

    init(_ number: Int32) { descriptor = Descriptor(owning: number) }

    func send(_ line: String) {
        Array((line + "\n").utf8).withUnsafeBytes { _ = Socket.send(descriptor.number, $0) }
    }

    /// The next line; nil at the end.
    func next() -> String? {
        while true {
            if let end = bytes.firstIndex(of: UInt8(ascii: "\n")) {
                defer { bytes.removeFirst(end + 1) }
                return String(decoding: bytes[..<end], as: UTF8.self)
            }
            guard Socket.wait(descriptor.number, for: .readable, milliseconds: 20_000) != [] else {
                return nil
            }
            var chunk = [UInt8](repeating: 0, count: 4096)
            let received = chunk.withUnsafeMutableBytes {
                Socket.receive(descriptor.number, into: $0, dontWait: true)
            }
            switch received {
            case .bytes(let count): bytes += chunk[..<count]
            case .wouldBlock: continue
            case .end, .failed: return nil
            }
        }
    }
}
