// The supervisor's messages as bytes.
// SPDX-License-Identifier: Apache-2.0

extension SupervisorMessage {
    private enum Kind: UInt8 {
        case start = 64
        case worker, noWorker, workerEnded, scriptFailed, scriptEnded
        case handOver, takeOver, drain, reopenLogs, returnWorker
    }

    /// Descriptors beside one `start`. More travel in further ones; one with fewer is the last.
    package static let startBatch = 60

    package func encoded() -> [UInt8] {
        var writer = MessageWriter(kind: kind.rawValue)
        switch self {
        case .start(let name): writer.append(name)
        case .worker(let pool, let id, let pid):
            writer.append(UInt32(clamping: pool))
            writer.append(id)
            writer.append(pid)
        case .noWorker(let pool, let reason, let seconds):
            writer.append(UInt32(clamping: pool))
            writer.append(reason)
            writer.append(UInt32(clamping: seconds))
        case .workerEnded(let id, let end), .scriptEnded(let id, let end):
            writer.append(id)
            writer.append(end)
        case .scriptFailed(let id, let number):
            writer.append(id)
            writer.append(number)
        case .returnWorker(let pool): writer.append(UInt32(clamping: pool))
        case .handOver, .takeOver, .drain, .reopenLogs: break
        }
        return writer.bytes
    }

    /// Reads one message; whatever `encoded()` cannot have written is malformed.
    package init(decoding bytes: [UInt8]) throws(ControlError) {
        var reader = MessageReader(bytes)
        guard let kind = Kind(rawValue: try reader.number()) else { throw .malformed }
        switch kind {
        case .start: self = .start(configurationName: try reader.text())
        case .worker:
            self = .worker(
                pool: try reader.index(), id: try reader.number(), pid: try reader.number())
        case .noWorker:
            self = .noWorker(
                pool: try reader.index(), reason: try reader.text(),
                retryAfterSeconds: Int(try reader.number(UInt32.self)))
        case .workerEnded: self = .workerEnded(id: try reader.number(), try reader.end())
        case .scriptFailed:
            self = .scriptFailed(id: try reader.number(), code: try reader.number())
        case .scriptEnded: self = .scriptEnded(id: try reader.number(), try reader.end())
        case .handOver: self = .handOver
        case .takeOver: self = .takeOver
        case .drain: self = .drain
        case .reopenLogs: self = .reopenLogs
        case .returnWorker: self = .returnWorker(pool: try reader.index())
        }
        try reader.finish()
    }

    private var kind: Kind {
        switch self {
        case .start: .start
        case .worker: .worker
        case .noWorker: .noWorker
        case .workerEnded: .workerEnded
        case .scriptFailed: .scriptFailed
        case .scriptEnded: .scriptEnded
        case .handOver: .handOver
        case .takeOver: .takeOver
        case .drain: .drain
        case .reopenLogs: .reopenLogs
        case .returnWorker: .returnWorker
        }
    }
}
