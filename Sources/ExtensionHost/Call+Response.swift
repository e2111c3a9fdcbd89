// How an extension's head reaches the exchange: by a header call, by WriteClient, or by both.
// SPDX-License-Identifier: Apache-2.0

import CISAPI
internal import Exchange

// Old servers put an extension's bytes on the wire as they came, so extensions say a head in many ways.
// All of them lead here; the head that goes out is always a checked and complete one.

extension Call {
    /// A header call: a status line, and a block of field lines with body bytes behind its blank line.
    mutating func sendHeader(
        status: UnsafeBufferPointer<UInt8>?, block: UnsafeBufferPointer<UInt8>?, closes: Bool
    ) -> UInt32 {
        guard stage == .none else { return UInt32(ERROR_INVALID_FUNCTION) }
        if let block, !closes, lastHead.isMade(of: status, block) { return sendHead() }
        forgetHead()
        if let status, !status.isEmpty, !head.setStatus(status.span) {
            head.reset()
            return UInt32(ERROR_INVALID_DATA)
        }
        if closes { head.closesConnection = true }
        guard let block, !block.isEmpty else { return sendHead() }
        let consumed: Int?
        do throws(ResponseHeadError) {
            consumed = try head.parse(block.span, .fromExtension)
        } catch {
            head.reset()
            return UInt32(ERROR_INVALID_DATA)
        }
        guard let consumed else {
            // The blank line may still come, by WriteClient.
            stage = .continued
            held.append(contentsOf: block)
            return UInt32(NO_ERROR)
        }
        let code = sendHead()
        if consumed == block.count && !closes { lastHead.note(status, block) }
        guard code == UInt32(NO_ERROR), consumed < block.count else { return code }
        return writeBody(UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: block[consumed...])))
    }

    /// HSE_REQ_SEND_URL_REDIRECT_RESP.
    mutating func redirect(to url: UnsafeBufferPointer<UInt8>) -> UInt32 {
        guard stage == .none else { return UInt32(ERROR_INVALID_FUNCTION) }
        forgetHead()
        guard head.addField("Location", url.span) else {
            head.reset()
            return UInt32(ERROR_INVALID_DATA)
        }
        head.status = 302
        head.contentLength = 0
        return sendHead()
    }

    /// WriteClient.
    mutating func write(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
        if broken != nil { return UInt32(ERROR_INVALID_DATA) }
        switch stage {
        case .body:
            return writeBody(bytes)
        case .continued:
            guard held.count + bytes.count <= ResponseHead.largestHead, continuesHead(bytes) else {
                return endHeadThenWrite(bytes)
            }
            held.append(contentsOf: bytes)
            return readHeld()
        case .none, .inBand:
            forgetHead()
            stage = .inBand
            held.append(contentsOf: bytes)
            return readInBand()
        }
    }

    /// Nothing will follow: what is held becomes head or body.
    mutating func flushHeld() {
        switch stage {
        case .continued:
            _ = endHeadThenWrite(UnsafeRawBufferPointer(start: nil, count: 0))
        case .inBand:
            if InBand.beginsWithVersion(held) {
                _ = endHeadThenWrite(UnsafeRawBufferPointer(start: nil, count: 0))
            } else {
                _ = sendDefaultHeadAndHeld()
            }
        case .none, .body:
            break
        }
    }

    private mutating func readInBand() -> UInt32 {
        switch InBand.classify(held) {
        case .undecided: return UInt32(NO_ERROR)
        case .body: return sendDefaultHeadAndHeld()
        case .head: return readHeld()
        }
    }

    /// Sends the head that `held` begins with, once its blank line is there, and the body bytes behind.
    private mutating func readHeld() -> UInt32 {
        let bytes = held
        var start = head
        let consumed: Int?
        do throws(ResponseHeadError) {
            consumed = try start.parse(bytes.span, .fromExtension)
        } catch {
            return refuseHeld(error)
        }
        guard let consumed else { return UInt32(NO_ERROR) }
        head = start
        held.removeAll(keepingCapacity: true)
        let code = sendHead()
        guard code == UInt32(NO_ERROR), consumed < bytes.count else { return code }
        return bytes.withUnsafeBytes { writeBody(.init(rebasing: $0[consumed...])) }
    }

    /// Something that only looked like a field line is a body; a broken status line or a broken block
    /// after a header call is an error.
    private mutating func refuseHeld(_ error: ResponseHeadError) -> UInt32 {
        if stage == .inBand && !InBand.beginsWithVersion(held) { return sendDefaultHeadAndHeld() }
        broken = "\(error)"
        return UInt32(ERROR_INVALID_DATA)
    }

    /// The head ends without a blank line; what follows is body.
    private mutating func endHeadThenWrite(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
        let block = held
        do throws(ResponseHeadError) {
            _ = try head.parse(block.span, .fromExtension, atEnd: true)
        } catch {
            broken = "\(error)"
            return UInt32(ERROR_INVALID_DATA)
        }
        held.removeAll(keepingCapacity: true)
        let code = sendHead()
        guard code == UInt32(NO_ERROR), !bytes.isEmpty else { return code }
        return writeBody(bytes)
    }

    private mutating func sendDefaultHeadAndHeld() -> UInt32 {
        head.reset()
        head.addField("Content-Type", "text/html")
        let code = sendHead()
        guard code == UInt32(NO_ERROR) else { return code }
        let bytes = held
        held.removeAll(keepingCapacity: true)
        return bytes.withUnsafeBytes { writeBody($0) }
    }

    private func continuesHead(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard let first = bytes.first, let last = held.last else { return false }
        if first == UInt8(ascii: "\r") || first == UInt8(ascii: "\n") { return true }
        return last == UInt8(ascii: "\n")
            && InBand.classify(bytes.bindMemory(to: UInt8.self).span) == .head
    }

    /// The head of the slot's last call is not this one's.
    private mutating func forgetHead() {
        guard !lastHead.isEmpty else { return }
        lastHead.forget()
        head.reset()
    }

    private mutating func sendHead() -> UInt32 {
        guard let exchange else { return UInt32(ERROR_INVALID_PARAMETER) }
        stage = .body
        if head.isChunked { decoder = ChunkedDecoder() }
        return exchange.sendHead(head) ? UInt32(NO_ERROR) : UInt32(ERROR_CONNECTION_ABORTED)
    }

    private mutating func writeBody(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
        guard let exchange else { return UInt32(ERROR_INVALID_PARAMETER) }
        if decoder != nil { return writeChunked(bytes, exchange) }
        return exchange.write(bytes) ? UInt32(NO_ERROR) : UInt32(ERROR_CONNECTION_ABORTED)
    }

    /// Takes the extension's chunk encoding off: the exchange frames the body anew, and no client ever
    /// sees framing that was not checked.
    private mutating func writeChunked(
        _ bytes: UnsafeRawBufferPointer, _ exchange: any ExtensionExchange
    ) -> UInt32 {
        let span = bytes.bindMemory(to: UInt8.self).span
        var cursor = 0
        do throws(ChunkedDecoder.Malformed) {
            while true {
                switch try decoder!.next(span, &cursor) {
                case .data(let range):
                    guard exchange.write(.init(rebasing: bytes[range])) else {
                        return UInt32(ERROR_CONNECTION_ABORTED)
                    }
                case .needsMore, .end:
                    return UInt32(NO_ERROR)
                }
            }
        } catch {
            broken = "the extension's chunked response is malformed: \(error.reason)"
            return UInt32(ERROR_INVALID_DATA)
        }
    }
}
