// One operator's connection, as the supervisor sees it.
// SPDX-License-Identifier: Apache-2.0

import Control
import Platform

/// Reads one line, then sends one answer; nobody waits for either.
final class OperatorConnection {
    enum State: Equatable {
        case reading
        /// Its request is under way.
        case waiting
        case sending
        case over
    }

    /// Seconds for which a connection may stay open without an answer of ours under way.
    static let patience = 10.0
    /// At the same time.
    static let most = 16

    let socket: Descriptor
    private(set) var state = State.reading
    private var input: [UInt8] = []
    private var output: [UInt8] = []
    private var sent = 0

    init(_ socket: consuming Descriptor) { self.socket = socket }

    /// A request, once its line is there; nil: not yet, or never (`state` tells).
    func read() -> OperatorRequest? {
        guard state == .reading else { return nil }
        var chunk = [UInt8](repeating: 0, count: OperatorRequest.longest)
        let received = chunk.withUnsafeMutableBytes {
            Socket.receive(socket.number, into: $0, dontWait: true)
        }
        switch received {
        case .bytes(let count): input.append(contentsOf: chunk[..<count])
        case .wouldBlock: return nil
        case .end, .failed:
            state = .over
            return nil
        }
        guard let end = input.firstIndex(of: UInt8(ascii: "\n")) else {
            if input.count >= OperatorRequest.longest { answer(Self.unknown) }
            return nil
        }
        let line = String(decoding: input[..<end], as: UTF8.self)
        guard let request = OperatorRequest(line: line) else {
            answer(Self.unknown)
            return nil
        }
        state = .waiting
        return request
    }

    private static let unknown = OperatorAnswer(
        isGood: false, "this server does not know what was asked: is it another version?")

    /// Ends it when all is sent.
    func answer(_ answer: OperatorAnswer) {
        output = Array(answer.written.utf8)
        state = .sending
        send()
    }

    func send() {
        guard state == .sending else { return }
        while sent < output.count {
            let result = output.withUnsafeBytes {
                Socket.send(
                    socket.number, UnsafeRawBufferPointer(rebasing: $0[sent...]), dontWait: true)
            }
            switch result {
            case .bytes(let count): sent += count
            case .wouldBlock: return
            case .end, .failed: return state = .over
            }
        }
        state = .over
    }
}
