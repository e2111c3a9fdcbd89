// FastCGI records as they arrive: in pieces of any size.
// SPDX-License-Identifier: Apache-2.0

/// Takes a stream of records apart without keeping or copying any content.
///
/// Feed each piece of the stream until `next` says nil, then receive more:
///
///     var offset = 0
///     while let step = try decoder.next(piece, &offset) {
///         switch step {
///         case .begin(let header): …
///         case .content(let range): use(piece.extracting(range))
///         case .end: …
///         }
///     }
///
/// A record gives one `begin`, as many `content` as pieces it arrived in (none when it is empty) and
/// one `end`, when its padding too has passed.
package struct FastCGIDecoder: Sendable {
    package enum Step: Equatable, Sendable {
        case begin(FastCGIHeader)
        /// A range of the bytes given to `next`.
        case content(Range<Int>)
        case end
    }

    private var raw = InlineArray<8, UInt8>(repeating: 0)
    private var rawCount = 0
    private var contentLeft = 0
    private var paddingLeft = 0
    private var isInRecord = false

    package init() {}

    /// Whether the stream is between two records: the only place where it may end.
    package var isBetweenRecords: Bool { !isInRecord && rawCount == 0 }

    /// The next step from `offset`, which moves on; nil when all bytes are used up.
    package mutating func next(
        _ bytes: Span<UInt8>, _ offset: inout Int
    ) throws(FastCGIError) -> Step? {
        if !isInRecord {
            if rawCount == 0, bytes.count - offset >= 8 {
                let header = try FastCGIHeader(bytes, at: offset)
                offset += 8
                begin(header)
                return .begin(header)
            }
            while rawCount < 8 {
                guard offset < bytes.count else { return nil }
                raw[rawCount] = bytes[offset]
                rawCount += 1
                offset += 1
            }
            let header = try FastCGIHeader(raw)
            rawCount = 0
            begin(header)
            return .begin(header)
        }
        if contentLeft > 0 {
            let count = min(contentLeft, bytes.count - offset)
            guard count > 0 else { return nil }
            contentLeft -= count
            offset += count
            return .content(offset - count..<offset)
        }
        let skipped = min(paddingLeft, bytes.count - offset)
        paddingLeft -= skipped
        offset += skipped
        guard paddingLeft == 0 else { return nil }
        isInRecord = false
        return .end
    }

    private mutating func begin(_ header: FastCGIHeader) {
        isInRecord = true
        contentLeft = header.contentLength
        paddingLeft = header.paddingLength
    }
}

/// Takes name-value pairs apart (FastCGI §3.4).
///
/// The bytes are the whole stream of FCGI_PARAMS: other servers' pairs may straddle two records.
package struct FastCGIPairs: Sendable {
    private var offset = 0

    package init() {}

    /// Where the next pair's name and value stand in `bytes`; nil at the end.
    package mutating func next(
        in bytes: Span<UInt8>
    ) throws(FastCGIError) -> (name: Range<Int>, value: Range<Int>)? {
        guard offset < bytes.count else { return nil }
        let nameLength = try readLength(bytes)
        let valueLength = try readLength(bytes)
        // Each length has 31 bits: their sum cannot overflow an Int, but may exceed what is there.
        let left = bytes.count - offset
        guard nameLength <= left, valueLength <= left - nameLength else { throw .malformedPair }
        let name = offset..<offset + nameLength
        let value = name.upperBound..<name.upperBound + valueLength
        offset = value.upperBound
        return (name, value)
    }

    private mutating func readLength(_ bytes: Span<UInt8>) throws(FastCGIError) -> Int {
        guard offset < bytes.count else { throw .malformedPair }
        let first = bytes[offset]
        if first < 0x80 {
            offset += 1
            return Int(first)
        }
        guard bytes.count - offset >= 4 else { throw .malformedPair }
        let length =
            Int(first & 0x7f) << 24 | Int(bytes[offset + 1]) << 16 | Int(bytes[offset + 2]) << 8
            | Int(bytes[offset + 3])
        offset += 4
        return length
    }
}
