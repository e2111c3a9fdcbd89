// A body in chunks, strictly read (RFC 9112 §7.1).
// SPDX-License-Identifier: Apache-2.0

/// Takes the chunk encoding off a body, piece by piece, without allocating.
///
/// Trailers are read, bounded and dropped. Any departure from the grammar is an error: a sender that gets
/// it wrong may be smuggling.
package struct ChunkedDecoder: Sendable {
    package enum Piece: Equatable, Sendable {
        /// A run of body bytes in the input.
        case data(Range<Int>)
        /// All input was used up; more is needed.
        case needsMore
        /// The body has ended; what follows `consumed` is the next message.
        case end
    }

    package struct Malformed: Error {
        package let reason: StaticString
    }

    private enum State: Sendable {
        case sizeFirst, size, extensionStart, `extension`, quoted, quotedEscape, sizeLF
        case data, dataCR, dataLF
        case trailerStart, trailer, trailerLF, endLF, done
    }

    private var state = State.sizeFirst
    private var remaining: UInt64 = 0
    private var sizeDigits = 0
    /// Bytes of framing and of data: framing that outweighs the data is an attack (CVE-2023-39326).
    private var overhead = 0
    private var body = 0
    private var trailerBytes = 0
    private var lineHasColon = false

    package init() {}

    package var isDone: Bool { state == .done }

    /// Decodes from `cursor` on, and moves it past what was used.
    package mutating func next(_ bytes: Span<UInt8>, _ cursor: inout Int) throws(Malformed) -> Piece
    {
        while true {
            if state == .done { return .end }
            guard cursor < bytes.count else { return .needsMore }
            if state == .data {
                let available = UInt64(bytes.count - cursor)
                let count = Int(min(remaining, available))
                let start = cursor
                cursor += count
                remaining -= UInt64(count)
                body &+= count
                if remaining == 0 { state = .dataCR }
                return .data(start..<start + count)
            }
            let byte = bytes[unchecked: cursor]
            cursor += 1
            overhead &+= 1
            if overhead > 16 * 1024 && overhead > body {
                throw Malformed(reason: "more chunk framing than body")
            }
            try step(byte)
        }
    }

    private mutating func step(_ byte: UInt8) throws(Malformed) {
        switch state {
        case .sizeFirst:
            sizeDigits = 0
            remaining = 0
            try digit(byte)
            state = .size
        case .size:
            if isHexDigit(byte) { return try digit(byte) }
            try afterSize(byte)
        case .extensionStart:
            guard isToken(byte) else { throw Malformed(reason: "an empty chunk extension") }
            state = .extension
        case .extension:
            switch byte {
            case UInt8(ascii: "\r"): state = .sizeLF
            case UInt8(ascii: "\""): state = .quoted
            case _ where isValueByte(byte): break
            default: throw Malformed(reason: "a control byte in a chunk extension")
            }
        case .quoted:
            switch byte {
            case UInt8(ascii: "\\"): state = .quotedEscape
            case UInt8(ascii: "\""): state = .extension
            case _ where isValueByte(byte): break
            default: throw Malformed(reason: "a control byte in a chunk extension")
            }
        case .quotedEscape:
            guard isValueByte(byte) else {
                throw Malformed(reason: "a control byte in a chunk extension")
            }
            state = .quoted
        case .sizeLF:
            try expect(byte, "\n", "a chunk size line does not end with CRLF")
            state = remaining == 0 ? .trailerStart : .data
        case .dataCR:
            try expect(byte, "\r", "chunk data does not end with CRLF")
            state = .dataLF
        case .dataLF:
            try expect(byte, "\n", "chunk data does not end with CRLF")
            state = .sizeFirst
        default:
            try trailerStep(byte)
        }
    }

    private mutating func trailerStep(_ byte: UInt8) throws(Malformed) {
        trailerBytes += 1
        if trailerBytes > 16 * 1024 { throw Malformed(reason: "trailers are too large") }
        switch state {
        case .trailerStart where byte == UInt8(ascii: "\r"):
            state = .endLF
        case .trailerStart:
            guard isToken(byte) else { throw Malformed(reason: "an invalid trailer") }
            lineHasColon = false
            state = .trailer
        case .trailer where byte == UInt8(ascii: "\r"):
            guard lineHasColon else { throw Malformed(reason: "a trailer without a colon") }
            state = .trailerLF
        case .trailer:
            if byte == UInt8(ascii: ":") { lineHasColon = true }
            guard lineHasColon ? isValueByte(byte) : isToken(byte) else {
                throw Malformed(reason: "an invalid trailer")
            }
        case .trailerLF:
            try expect(byte, "\n", "a trailer does not end with CRLF")
            state = .trailerStart
        case .endLF:
            try expect(byte, "\n", "the body does not end with CRLF")
            state = .done
        default:
            preconditionFailure("the states before the trailers are stepped elsewhere")
        }
    }

    /// At most 16 digits: 2^64 and above cannot be said.
    private mutating func digit(_ byte: UInt8) throws(Malformed) {
        guard let value = hexValue(byte), sizeDigits < 16 else {
            throw Malformed(reason: "an invalid chunk size")
        }
        sizeDigits += 1
        remaining = remaining << 4 | UInt64(value)
        guard remaining < 1 << 62 else { throw Malformed(reason: "an absurd chunk size") }
    }

    private mutating func afterSize(_ byte: UInt8) throws(Malformed) {
        switch byte {
        case UInt8(ascii: "\r"): state = .sizeLF
        case UInt8(ascii: ";"): state = .extensionStart
        default: throw Malformed(reason: "an invalid chunk size")
        }
    }

    private func expect(
        _ byte: UInt8, _ expected: Unicode.Scalar, _ reason: StaticString
    ) throws(Malformed) {
        guard byte == UInt8(ascii: expected) else { throw Malformed(reason: reason) }
    }
}
