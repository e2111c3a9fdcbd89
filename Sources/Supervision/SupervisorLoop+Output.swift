// What extensions print inside a host: lines of the error log like those of workers.
// SPDX-License-Identifier: Apache-2.0

import Configuration
import Platform

extension SupervisorLoop {
    func readOutput(ofHost id: UInt64) {
        guard let host = hosts[id], host.outputPipe >= 0 else { return }
        withUnsafeTemporaryAllocation(byteCount: 65536, alignment: 1) { room in
            // A few rounds: an extension that prints without end must not keep us from the others.
            for _ in 0..<4 {
                switch Files.readPipe(host.outputPipe, into: room) {
                case .bytes(let count):
                    let bytes = UnsafeBufferPointer(
                        start: room.baseAddress!.assumingMemoryBound(to: UInt8.self), count: count)
                    host.output.append(bytes, &host.outputLimit, now: .now) {
                        logLine($0, dropped: $1, of: host)
                    }
                case .end:
                    unwatch(host.outputPipe)
                    host.closeOutput()
                    return
                case .wouldBlock: return
                }
            }
        }
    }

    /// It has ended: its last words.
    func endOutput(of host: HostProcess) {
        readOutput(ofHost: host.id)
        host.output.flush(&host.outputLimit, now: .now) { logLine($0, dropped: $1, of: host) }
        guard host.outputPipe >= 0 else { return }
        unwatch(host.outputPipe)
        host.closeOutput()
    }

    private func logLine(_ bytes: UnsafeBufferPointer<UInt8>, dropped: Int, of host: HostProcess) {
        let handler = host.speaker
        if dropped > 0 {
            log.log(
                .warning, "\(dropped) lines of its output were dropped", handler: handler,
                pid: host.process.pid)
        }
        let (level, text) = LogLevel.taken(from: bytes) ?? (.notice, bytes)
        log.log(level, bytes: text, handler: handler, pid: host.process.pid)
    }
}

extension HostProcess {
    /// Who prints there: the only extension in it, or one of several.
    fileprivate var speaker: String {
        let inside = extensions.filter { $0.verdict?.home == .inProcess }.map(\.name)
        switch inside.count {
        case 0: return "host"
        case 1: return "extension \(inside[0])"
        default: return "one of the extensions \(inside.joined(separator: ", "))"
        }
    }
}
