// The supervisor's messages as bytes.
// SPDX-License-Identifier: Apache-2.0

extension SupervisorMessage {
    private enum Kind: UInt8 {
        case start = 64
        case worker, noWorker, workerEnded, scriptFailed, scriptEnded
        case leave, adopt, handedOver, drain, reopenLogs, returnWorker, verdict, workerRestarted
        case serve, quarantine, release, retireWorker
    }

    /// Descriptors beside one `start`. More travel in further ones; one with fewer is the last.
    package static let startBatch = 60

    package func encoded() -> [UInt8] {
        var writer = MessageWriter(kind: kind.rawValue)
        switch self {
        case .start(let name, let isReplacement):
            writer.append(name)
            writer.append(isReplacement)
        case .worker(let pool, let id, let pid, let terms):
            writer.append(UInt32(clamping: pool))
            writer.append(id)
            writer.append(pid)
            terms.append(to: &writer)
        case .workerRestarted(let pool, let id, let pid, let end):
            writer.append(UInt32(clamping: pool))
            writer.append(id)
            writer.append(pid)
            writer.append(end)
        case .noWorker(let pool, let count, let reason, let seconds):
            writer.append(UInt32(clamping: pool))
            writer.append(UInt32(clamping: count))
            writer.append(reason)
            writer.append(UInt32(clamping: seconds))
        case .workerEnded(let id, let end), .scriptEnded(let id, let end):
            writer.append(id)
            writer.append(end)
        case .scriptFailed(let id, let number):
            writer.append(id)
            writer.append(number)
        case .quarantine(let pool, let seconds, let reason):
            writer.append(UInt32(clamping: pool))
            writer.append(UInt32(clamping: seconds))
            writer.append(reason)
        case .returnWorker(let pool), .release(let pool): writer.append(UInt32(clamping: pool))
        case .retireWorker(let pool, let id):
            writer.append(UInt32(clamping: pool))
            writer.append(id)
        case .adopt(let id): writer.append(id)
        case .handedOver(let id, let accepted):
            writer.append(id)
            writer.append(accepted)
        case .verdict(let index, let path, let copy, let isInProcess, let problem):
            writer.append(UInt32(clamping: index))
            writer.append(path)
            writer.append(copy ?? "")
            writer.append(isInProcess)
            writer.append(problem != nil)
            if let problem { writer.append(problem) }
        case .leave, .drain, .reopenLogs, .serve: break
        }
        return writer.bytes
    }

    /// Reads one message; whatever `encoded()` cannot have written is malformed.
    package init(decoding bytes: [UInt8]) throws(ControlError) {
        var reader = MessageReader(bytes)
        guard let kind = Kind(rawValue: try reader.number()) else { throw .malformed }
        switch kind {
        case .start:
            self = .start(
                configurationName: try reader.text(), isReplacement: try reader.bool())
        case .worker:
            self = .worker(
                pool: try reader.index(), id: try reader.number(), pid: try reader.number(),
                try WorkerTerms(from: &reader))
        case .workerRestarted:
            self = .workerRestarted(
                pool: try reader.index(), id: try reader.number(), pid: try reader.number(),
                after: try reader.end())
        case .noWorker:
            self = .noWorker(
                pool: try reader.index(), count: Int(try reader.number(UInt32.self)),
                reason: try reader.text(),
                retryAfterSeconds: Int(try reader.number(UInt32.self)))
        case .workerEnded: self = .workerEnded(id: try reader.number(), try reader.end())
        case .scriptFailed:
            self = .scriptFailed(id: try reader.number(), code: try reader.number())
        case .scriptEnded: self = .scriptEnded(id: try reader.number(), try reader.end())
        case .serve: self = .serve
        case .release: self = .release(pool: try reader.index())
        case .quarantine:
            self = .quarantine(
                pool: try reader.index(), seconds: Int(try reader.number(UInt32.self)),
                reason: try reader.text())
        case .leave: self = .leave
        case .adopt: self = .adopt(id: try reader.number())
        case .handedOver:
            self = .handedOver(id: try reader.number(), accepted: try reader.bool())
        case .verdict:
            let index = try reader.index()
            let path = try reader.text()
            let copy = try reader.text()
            self = .verdict(
                extension: index, path: path, copy: copy.isEmpty ? nil : copy,
                isInProcess: try reader.bool(),
                problem: try reader.bool() ? try reader.text() : nil)
        case .drain: self = .drain
        case .reopenLogs: self = .reopenLogs
        case .returnWorker: self = .returnWorker(pool: try reader.index())
        case .retireWorker:
            self = .retireWorker(pool: try reader.index(), id: try reader.number())
        }
        try reader.finish()
    }

    private var kind: Kind {
        switch self {
        case .start: .start
        case .serve: .serve
        case .quarantine: .quarantine
        case .release: .release
        case .worker: .worker
        case .noWorker: .noWorker
        case .workerEnded: .workerEnded
        case .workerRestarted: .workerRestarted
        case .scriptFailed: .scriptFailed
        case .scriptEnded: .scriptEnded
        case .leave: .leave
        case .adopt: .adopt
        case .handedOver: .handedOver
        case .verdict: .verdict
        case .drain: .drain
        case .reopenLogs: .reopenLogs
        case .returnWorker: .returnWorker
        case .retireWorker: .retireWorker
        }
    }
}

extension WorkerTerms {
    func append(to writer: inout MessageWriter) {
        writer.append(path)
        writer.append(UInt8(isAsked ? 1 : 0) | UInt8(endsByItself ? 2 : 0))
    }

    init(from reader: inout MessageReader) throws(ControlError) {
        path = try reader.text()
        let flags: UInt8 = try reader.number()
        guard flags < 4 else { throw .malformed }
        isAsked = flags & 1 != 0
        endsByItself = flags & 2 != 0
    }
}
