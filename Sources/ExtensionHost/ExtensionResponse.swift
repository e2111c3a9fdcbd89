// How an extension's response reaches the exchange: by header calls, by WriteClient, or by both.
// SPDX-License-Identifier: Apache-2.0

import CISAPI
internal import Exchange

// Old servers put an extension's bytes on the wire as they came, so extensions say a head in many ways.
// All of them lead here; the head that goes out is always a checked and complete one.

/// The response of one call; the memory is reused by later calls.
struct ExtensionResponse {
    /// How far it is.
    private enum Stage {
        /// Nothing was said.
        case none
        /// `held` begins a head that is not complete: sent by a header call without its blank line.
        case continued
        /// `held` is what WriteClient brought before any header call: perhaps a head.
        case inBand
        /// The head is sent.
        case body
    }

    private var stage = Stage.none
    private var head = ResponseHead()
    /// What `head` was made of; while it is not empty, `head` still is the last call's.
    private var lastHead = HeadSource()
    private var held: [UInt8] = []
    /// Takes the extension's own chunk encoding off.
    private var decoder: ChunkedDecoder?
    /// The response cannot be completed: why, for the error log.
    private var fault: String?

    /// Nothing was said yet.
    mutating func reset() {
        stage = .none
        held.removeAll(keepingCapacity: true)
        if lastHead.isEmpty { head.reset() }
        decoder = nil
        fault = nil
    }

    /// Nothing will follow. What is wrong with the response; nil when it is complete.
    mutating func finish(_ exchange: any ExtensionExchange) -> String? {
        if fault == nil { flushHeld(exchange) }
        if let fault { return fault }
        if stage == .none { return "the extension returned success without any response" }
        let mayHaveBody =
            exchange.request.method != .head && head.status != 204 && head.status != 304
        if let decoder, !decoder.isDone, mayHaveBody {
            return "the extension ended its response before the last chunk"
        }
        return nil
    }

    /// A header call: a status line, and a block of field lines with body bytes behind its blank line.
    mutating func sendHeader(
        status: UnsafeBufferPointer<UInt8>?, block: UnsafeBufferPointer<UInt8>?, closes: Bool,
        _ exchange: any ExtensionExchange
    ) -> UInt32 {
        guard stage == .none else { return UInt32(ERROR_INVALID_FUNCTION) }
        if let block, !closes, lastHead.isMade(of: status, block) { return sendHead(exchange) }
        forgetHead()
        if let status, !status.isEmpty, !head.setStatus(status.span) {
            head.reset()
            return UInt32(ERROR_INVALID_DATA)
        }
        if closes { head.closesConnection = true }
        guard let block, !block.isEmpty else { return sendHead(exchange) }
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
        let code = sendHead(exchange)
        if consumed == block.count && !closes { lastHead.remember(status, block) }
        guard code == UInt32(NO_ERROR), consumed < block.count else { return code }
        return writeBody(
            UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: block[consumed...])), exchange)
    }

    /// HSE_REQ_SEND_URL_REDIRECT_RESP.
    mutating func redirect(
        to url: UnsafeBufferPointer<UInt8>, _ exchange: any ExtensionExchange
    ) -> UInt32 {
        guard stage == .none else { return UInt32(ERROR_INVALID_FUNCTION) }
        forgetHead()
        guard head.addField("Location", url.span) else {
            head.reset()
            return UInt32(ERROR_INVALID_DATA)
        }
        head.status = 302
        head.contentLength = 0
        return sendHead(exchange)
    }

    /// WriteClient.
    mutating func write(
        _ bytes: UnsafeRawBufferPointer, _ exchange: any ExtensionExchange
    ) -> UInt32 {
        if fault != nil { return UInt32(ERROR_INVALID_DATA) }
        switch stage {
        case .body:
            return writeBody(bytes, exchange)
        case .continued:
            guard held.count + bytes.count <= ResponseHead.largestHead, continuesHead(bytes) else {
                return endHeadThenWrite(bytes, exchange)
            }
            held.append(contentsOf: bytes)
            return readHeld(exchange)
        case .none, .inBand:
            forgetHead()
            stage = .inBand
            held.append(contentsOf: bytes)
            return readInBand(exchange)
        }
    }

    /// What is held becomes head or body.
    private mutating func flushHeld(_ exchange: any ExtensionExchange) {
        switch stage {
        case .continued:
            _ = endHeadThenWrite(.init(start: nil, count: 0), exchange)
        case .inBand:
            if InBand.beginsWithVersion(held) {
                _ = endHeadThenWrite(.init(start: nil, count: 0), exchange)
            } else {
                _ = sendDefaultHeadAndHeld(exchange)
            }
        case .none, .body:
            break
        }
    }

    private mutating func readInBand(_ exchange: any ExtensionExchange) -> UInt32 {
        switch InBand.classify(held) {
        case .undecided: return UInt32(NO_ERROR)
        case .body: return sendDefaultHeadAndHeld(exchange)
        case .head: return readHeld(exchange)
        }
    }

    /// Sends the head that `held` begins with, once its blank line is there, and the body bytes behind.
    private mutating func readHeld(_ exchange: any ExtensionExchange) -> UInt32 {
        let bytes = held
        var start = head
        let consumed: Int?
        do throws(ResponseHeadError) {
            consumed = try start.parse(bytes.span, .fromExtension)
        } catch {
            return refuseHeld(error, exchange)
        }
        guard let consumed else { return UInt32(NO_ERROR) }
        head = start
        held.removeAll(keepingCapacity: true)
        let code = sendHead(exchange)
        guard code == UInt32(NO_ERROR), consumed < bytes.count else { return code }
        return bytes.withUnsafeBytes { writeBody(.init(rebasing: $0[consumed...]), exchange) }
    }

    /// Something that only looked like a field line is a body; a broken status line or a broken block
    /// after a header call is an error.
    private mutating func refuseHeld(
        _ error: ResponseHeadError, _ exchange: any ExtensionExchange
    ) -> UInt32 {
        if stage == .inBand && !InBand.beginsWithVersion(held) {
            return sendDefaultHeadAndHeld(exchange)
        }
        fault = "\(error)"
        return UInt32(ERROR_INVALID_DATA)
    }

    /// The head ends without a blank line; what follows is body.
    private mutating func endHeadThenWrite(
        _ bytes: UnsafeRawBufferPointer, _ exchange: any ExtensionExchange
    ) -> UInt32 {
        let block = held
        do throws(ResponseHeadError) {
            _ = try head.parse(block.span, .fromExtension, atEnd: true)
        } catch {
            fault = "\(error)"
            return UInt32(ERROR_INVALID_DATA)
        }
        held.removeAll(keepingCapacity: true)
        let code = sendHead(exchange)
        guard code == UInt32(NO_ERROR), !bytes.isEmpty else { return code }
        return writeBody(bytes, exchange)
    }

    private mutating func sendDefaultHeadAndHeld(_ exchange: any ExtensionExchange) -> UInt32 {
        head.reset()
        head.addField("Content-Type", "text/html")
        let code = sendHead(exchange)
        guard code == UInt32(NO_ERROR) else { return code }
        let bytes = held
        held.removeAll(keepingCapacity: true)
        return bytes.withUnsafeBytes { writeBody($0, exchange) }
    }

    private func continuesHead(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard let first = bytes.first, let last = held.last else { return false }
        if first == UInt8(ascii: "\r") || first == UInt8(ascii: "\n") { return true }
        return last == UInt8(ascii: "\n")
            && InBand.classify(bytes.bindMemory(to: UInt8.self).span) == .head
    }

    /// The head of the last call is not this one's.
    private mutating func forgetHead() {
        guard !lastHead.isEmpty else { return }
        lastHead.forget()
        head.reset()
    }

    private mutating func sendHead(_ exchange: any ExtensionExchange) -> UInt32 {
        stage = .body
        if head.isChunked { decoder = ChunkedDecoder() }
        return exchange.sendHead(head) ? UInt32(NO_ERROR) : UInt32(ERROR_CONNECTION_ABORTED)
    }

    private mutating func writeBody(
        _ bytes: UnsafeRawBufferPointer, _ exchange: any ExtensionExchange
    ) -> UInt32 {
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
            fault = "the extension's chunked response is malformed: \(error.reason)"
            return UInt32(ERROR_INVALID_DATA)
        }
    }
}
