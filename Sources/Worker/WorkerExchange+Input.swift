// The request's body: FCGI_STDIN, read when the extension asks for it.
// SPDX-License-Identifier: Apache-2.0

import Exchange
internal import Platform

extension WorkerExchange {
    func readBody(into room: UnsafeMutableRawBufferPointer) -> Int {
        if isAborted { return -1 }
        let left = bodyLength < 0 ? Int64.max : bodyLength - inputRead
        let wanted = Int(min(left, Int64(room.count)))
        guard wanted > 0 else { return 0 }
        while inputRest.isEmpty {
            if inputEnded { return isAborted ? -1 : 0 }
            guard readInputStep() else { return -1 }
        }
        let count = min(wanted, inputRest.count)
        room.copyMemory(
            from: UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(inputRest)[..<count]))
        inputRest = .init(rebasing: inputRest[count...])
        inputRead += Int64(count)
        return count
    }

    /// Reads away what the extension left of the body: the other side is still sending it, and its next
    /// request comes behind.
    func dropInput() {
        while !inputEnded && !isAborted {
            inputRest = .init(start: nil, count: 0)
            guard readInputStep() else { return }
        }
    }

    /// Whether the other side still wants the answer: it has neither closed nor aborted.
    var isConnected: Bool {
        // What ends the body may still stand before an FCGI_ABORT_REQUEST.
        while !inputEnded, inputRest.isEmpty, bodyLength >= 0, inputRead >= bodyLength,
            connection.canReadNow
        {
            guard readInputStep() else { return false }
        }
        if isAborted { return false }
        return !connection.isPeerGone(id: id, streamIsRead: inputEnded)
    }

    /// Takes one step of the record stream; false when the connection is of no more use.
    private func readInputStep() -> Bool {
        switch connection.next() {
        case nil: return false
        case .content(let bytes): inputRest = bytes
        case .end: break
        case .begin(let header):
            switch header.kind {
            case .stdin where header.requestID == id:
                if header.contentLength == 0 {
                    inputEnded = true
                    return connection.skipRecord()
                }
            case .abortRequest where header.requestID == id:
                isAborted = true
                inputEnded = true
                return connection.skipRecord()
            default: return connection.passOver(header)
            }
        }
        return true
    }
}
