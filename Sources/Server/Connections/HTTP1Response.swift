// A response over an HTTP/1 connection.
// SPDX-License-Identifier: Apache-2.0

import Exchange
import Handlers
import Platform

/// Puts head, chunks and end into the connection's output. Reused by later responses of any connection.
final class HTTP1Response: ResponseStream {
    // [runner], but for `cut` and `isConnected`

    private let request: Request
    private var output: Unmanaged<ClientOutput>?
    private var form = ResponseFraming.Form.bodyless
    private var date = CachedDate()
    /// What is being sent; empty between two calls.
    private var scratch: [UInt8] = []
    /// Lent to the output while the connection is active.
    private var buffer: [UInt8] = []
    /// Bytes of the connection before the first one of the body.
    private var bodyStart: Int64 = 0
    /// The connection may serve another request after this response.
    private(set) var keepsConnection = true

    init(request: Request) {
        self.request = request
        scratch.reserveCapacity(2048)
        buffer.reserveCapacity(2048)
    }

    func begin(_ output: ClientOutput) {
        self.output = .passUnretained(output)
        output.lend(&buffer)
    }

    /// Lets go of the connection, whose last response has been sent.
    func end() {
        guard let output else { return }
        output._withUnsafeGuaranteedRef { $0.lend(&buffer) }
        if buffer.capacity > ClientOutput.directWrite * 4 { buffer = [] }
        self.output = nil
    }

    /// Before the next response on the same connection.
    func reset() { keepsConnection = true }

    var isConnected: Bool { output?._withUnsafeGuaranteedRef { $0.isConnected } ?? false }

    func sendHead(_ head: borrowing ResponseHead, _ form: ResponseFraming.Form) -> Bool {
        guard let output else { return false }
        self.form = form
        keepsConnection = request.keepsAlive && !head.closesConnection && form != .untilClose
        let said: HTTP1Encoding.Connection =
            !keepsConnection ? .closed : request.minorVersion == 0 ? .keptAndSaid : .kept
        date.update()
        return date.withText { date, commonStart in
            output._withUnsafeGuaranteedRef { output in
                let buffered = output.append {
                    HTTP1Encoding.appendHead(
                        head, form, said, date: date.span, commonStart: commonStart.span, to: &$0)
                }
                // What came before it has been sent: the last response, or an interim one.
                bodyStart = output.sent + Int64(buffered)
                // Another thread than the one that handles the exchange may think for a long time now.
                return output.isHandledHere ? output.isConnected : flush()
            }
        }
    }

    /// Bytes of the body that the kernel has taken, those around chunks included.
    var bodySent: Int64 {
        max(0, (output?._withUnsafeGuaranteedRef { $0.sent } ?? 0) - bodyStart)
    }

    /// Why this side has cut the response, once; nil when it has not.
    func takeCutReason() -> ClientOutput.CutReason? {
        output?._withUnsafeGuaranteedRef { $0.takeCutReason() }
    }

    func write(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard let output else { return false }
        let isChunked = form == .chunked
        return output._withUnsafeGuaranteedRef { output in
            guard bytes.count < ClientOutput.directWrite else {
                if isChunked {
                    _ = output.append { HTTP1Encoding.appendChunkSize(bytes.count, to: &$0) }
                }
                if output.send(&scratch, then: bytes) == .over { return false }
                if isChunked { _ = output.append { $0.append("\r\n") } }
                return true
            }
            let buffered = output.append {
                if isChunked { HTTP1Encoding.appendChunkSize(bytes.count, to: &$0) }
                $0.append(contentsOf: bytes)
                if isChunked { $0.append("\r\n") }
            }
            // Another thread than the one that handles the exchange may think for a long time now.
            if buffered >= ClientOutput.directWrite || !output.isHandledHere { return flush() }
            return output.isConnected
        }
    }

    func sendFile(_ file: consuming Descriptor, offset: Int64, count: Int64) -> Bool {
        precondition(form != .chunked, "a file's length is known: it is never sent in chunks")
        guard let output = output?.takeUnretainedValue() else { return false }
        return output.append(&scratch, then: file, offset: offset, count: count)
    }

    private func flush() -> Bool {
        output?._withUnsafeGuaranteedRef { $0.send(&scratch) != .over } ?? false
    }

    func finish(_ ending: ResponseFraming.Ending) {
        guard ending == .lastChunk else { return }
        output?._withUnsafeGuaranteedRef {
            _ = $0.append { HTTP1Encoding.appendLastChunk(to: &$0) }
        }
    }

    func cut() { output?._withUnsafeGuaranteedRef { $0.cut() } }

    /// Sends all that is left; when the kernel does not take it, the connection is woken later.
    func complete() -> ClientOutput.Progress {
        output?._withUnsafeGuaranteedRef { $0.send(&scratch, tellsConnection: true) } ?? .over
    }

    /// Sends what was said before the response was cut; the close that follows is a reset.
    func completeCut() { output?._withUnsafeGuaranteedRef { $0.sendLast(&scratch) } }

    /// Sends an interim response at once (RFC 9110 §15.2).
    func sendContinue() {
        output?._withUnsafeGuaranteedRef { output in
            _ = output.append { $0.append("HTTP/1.1 100 Continue\r\n\r\n") }
            _ = output.send(&scratch)
        }
    }
}
