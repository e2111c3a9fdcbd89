// The host's messages as bytes. The supervisor reads them as an enemy's: the host runs strangers' code.
// SPDX-License-Identifier: Apache-2.0

import Platform

extension HostMessage {
    private enum Kind: UInt8 {
        case ready = 1
        case failed, wantWorker, releaseWorker, startScript, endScript, handOver, adopted, drained
        case accessLog, faulted, callFaulted, healed, callOverdue, bequeathed
    }

    package func encoded() -> [UInt8] {
        var writer = MessageWriter(kind: kind.rawValue)
        switch self {
        case .ready, .drained, .accessLog, .faulted, .bequeathed: break
        case .callFaulted(let index, let end, let request):
            writer.append(UInt32(clamping: index))
            end.append(to: &writer)
            writer.append(request)
        case .failed(let reason): writer.append(reason)
        case .callOverdue(let index, let request, let seconds, let isTooMuch):
            writer.append(UInt32(clamping: index))
            writer.append(request)
            writer.append(seconds.bitPattern)
            writer.append(isTooMuch)
        case .wantWorker(let pool), .healed(let pool): writer.append(UInt32(clamping: pool))
        case .releaseWorker(let id, let reason):
            writer.append(id)
            writer.append(reason.rawValue)
        case .startScript(let id, let script):
            writer.append(id)
            script.append(to: &writer)
        case .endScript(let id), .handOver(let id): writer.append(id)
        case .adopted(let id, let accepted):
            writer.append(id)
            writer.append(accepted)
        }
        return writer.bytes
    }

    /// Reads one message; whatever `encoded()` cannot have written is malformed.
    package init(decoding bytes: [UInt8]) throws(ControlError) {
        var reader = MessageReader(bytes)
        guard let kind = Kind(rawValue: try reader.number()) else { throw .malformed }
        switch kind {
        case .ready: self = .ready
        case .failed: self = .failed(reason: try reader.text())
        case .wantWorker: self = .wantWorker(pool: try reader.index())
        case .callOverdue:
            self = .callOverdue(
                extension: try reader.index(), request: try reader.text(),
                seconds: Double(bitPattern: try reader.number()), isTooMuch: try reader.bool())
        case .healed: self = .healed(pool: try reader.index())
        case .releaseWorker:
            let id: UInt64 = try reader.number()
            guard let reason = ReleaseReason(rawValue: try reader.number()) else {
                throw .malformed
            }
            self = .releaseWorker(id: id, reason: reason)
        case .startScript:
            let id: UInt64 = try reader.number()
            self = .startScript(id: id, try Script(from: &reader))
        case .endScript: self = .endScript(id: try reader.number())
        case .handOver: self = .handOver(id: try reader.number())
        case .adopted: self = .adopted(id: try reader.number(), accepted: try reader.bool())
        case .drained: self = .drained
        case .accessLog: self = .accessLog
        case .faulted: self = .faulted
        case .bequeathed: self = .bequeathed
        case .callFaulted:
            self = .callFaulted(
                extension: try reader.index(), try CallEnd(from: &reader),
                request: try reader.text())
        }
        try reader.finish()
    }

    /// Reads one message and checks the number of descriptors beside it. They stay the caller's.
    package init(decoding bytes: [UInt8], descriptors: Int) throws(ControlError) {
        try self.init(decoding: bytes)
        guard descriptorCounts.contains(descriptors) else {
            throw .descriptors(expected: descriptorCounts.lowerBound, found: descriptors)
        }
    }

    /// How many descriptors may be beside it.
    private var descriptorCounts: ClosedRange<Int> {
        switch self {
        case .startScript: 3...3
        case .handOver, .accessLog: 1...1
        case .bequeathed: 1...MessageSocket.mostDescriptors
        case .ready, .failed, .wantWorker, .releaseWorker, .endScript, .adopted, .drained, .faulted,
            .callFaulted, .healed, .callOverdue:
            0...0
        }
    }

    private var kind: Kind {
        switch self {
        case .ready: .ready
        case .failed: .failed
        case .wantWorker: .wantWorker
        case .releaseWorker: .releaseWorker
        case .startScript: .startScript
        case .endScript: .endScript
        case .handOver: .handOver
        case .adopted: .adopted
        case .drained: .drained
        case .accessLog: .accessLog
        case .faulted: .faulted
        case .bequeathed: .bequeathed
        case .callFaulted: .callFaulted
        case .healed: .healed
        case .callOverdue: .callOverdue
        }
    }
}

extension CallEnd {
    func append(to writer: inout MessageWriter) {
        switch self {
        case .threw: writer.append(UInt8(0))
        case .wantedExit(let code):
            writer.append(UInt8(1))
            writer.append(code)
        case .wantedThreadExit: writer.append(UInt8(2))
        }
    }

    init(from reader: inout MessageReader) throws(ControlError) {
        switch try reader.number(UInt8.self) {
        case 0: self = .threw
        case 1: self = .wantedExit(code: try reader.number())
        case 2: self = .wantedThreadExit
        default: throw .malformed
        }
    }
}
