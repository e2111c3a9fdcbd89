// FastCGI records as they are written, into a buffer the caller reuses.
// SPDX-License-Identifier: Apache-2.0

extension FastCGI {
    /// The padding that aligns the next record to eight bytes, where it may be (FastCGI §3.3).
    package static func padding(after contentLength: Int) -> Int {
        let padding = -contentLength & 7
        return contentLength + padding <= largestContent ? padding : 0
    }

    /// Appends a header. `contentLength` is at most `largestContent`, `paddingLength` at most 255.
    package static func appendHeader(
        _ kind: Kind, id: UInt16, contentLength: Int, paddingLength: Int = 0,
        to bytes: inout [UInt8]
    ) {
        precondition(contentLength <= largestContent, "content is cut before its header is written")
        let header =
            1 | UInt64(kind.rawValue) << 8 | UInt64(id.byteSwapped) << 16
            | UInt64(UInt16(contentLength).byteSwapped) << 32
            | UInt64(UInt8(truncatingIfNeeded: paddingLength)) << 48
        appendWord(header, to: &bytes)
    }

    /// Appends FCGI_BEGIN_REQUEST.
    package static func appendBegin(
        _ role: Role, id: UInt16, keepsConnection: Bool, to bytes: inout [UInt8]
    ) {
        appendHeader(.beginRequest, id: id, contentLength: 8, to: &bytes)
        let flags = keepsConnection ? keepConnection : 0
        appendWord(UInt64(role.rawValue.byteSwapped) | UInt64(flags) << 16, to: &bytes)
    }

    /// Eight bytes, the lowest first.
    private static func appendWord(_ word: UInt64, to bytes: inout [UInt8]) {
        withUnsafeBytes(of: word.littleEndian) { bytes.append(contentsOf: $0) }
    }

    /// Appends FCGI_END_REQUEST.
    package static func appendEnd(
        _ status: ProtocolStatus, applicationStatus: UInt32 = 0, id: UInt16, to bytes: inout [UInt8]
    ) {
        appendHeader(.endRequest, id: id, contentLength: 8, to: &bytes)
        appendWord(
            UInt64(applicationStatus.byteSwapped) | UInt64(status.rawValue) << 32, to: &bytes)
    }

    /// Appends the content in as many records as it needs; none when it is empty, for an empty record
    /// ends its stream.
    package static func appendContent(
        _ content: Span<UInt8>, _ kind: Kind, id: UInt16, to bytes: inout [UInt8]
    ) {
        var start = 0
        while start < content.count {
            let count = min(content.count - start, largestContent)
            appendHeader(kind, id: id, contentLength: count, to: &bytes)
            bytes.append(content.extracting(start..<start + count))
            start += count
        }
    }

    /// Appends an empty record: the end of that stream, or FCGI_ABORT_REQUEST.
    package static func appendEmpty(_ kind: Kind, id: UInt16, to bytes: inout [UInt8]) {
        appendHeader(kind, id: id, contentLength: 0, to: &bytes)
    }

    /// Appends one name-value pair (FastCGI §3.4), as in FCGI_GET_VALUES_RESULT.
    package static func appendPair(
        _ name: Span<UInt8>, _ value: Span<UInt8>, to bytes: inout [UInt8]
    ) {
        if name.count < 0x80, value.count < 0x80 {
            let lengths = UInt16(name.count) | UInt16(value.count) << 8
            withUnsafeBytes(of: lengths.littleEndian) { bytes.append(contentsOf: $0) }
        } else {
            appendLength(name.count, to: &bytes)
            appendLength(value.count, to: &bytes)
        }
        bytes.append(name)
        bytes.append(value)
    }

    static func pairLength(_ name: Int, _ value: Int) -> Int {
        // Both are counts of arrays in memory: far from an overflow.
        name + value + (name < 0x80 ? 1 : 4) + (value < 0x80 ? 1 : 4)
    }

    private static func appendLength(_ length: Int, to bytes: inout [UInt8]) {
        if length >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: length >> 24) | 0x80)
            bytes.append(UInt8(truncatingIfNeeded: length >> 16))
            bytes.append(UInt8(truncatingIfNeeded: length >> 8))
        }
        bytes.append(UInt8(truncatingIfNeeded: length))
    }
}

/// Writes a request's FCGI_PARAMS: pairs first, `finish` last.
///
/// No pair straddles two records: php-cgi reads each record of this stream alone.
package struct FastCGIParams: Sendable {
    private let id: UInt16
    /// Where the open record's header stands in the buffer.
    private var header = -1

    package init(id: UInt16) { self.id = id }

    /// Appends a pair. `pairTooLarge`: it does not fit one record; the buffer is as before.
    package mutating func append(
        _ name: Span<UInt8>, _ value: Span<UInt8>, to bytes: inout [UInt8]
    ) throws(FastCGIError) {
        let length = FastCGI.pairLength(name.count, value.count)
        guard length <= FastCGI.largestContent else { throw .pairTooLarge }
        if header >= 0, contentLength(bytes) + length > FastCGI.largestContent { close(&bytes) }
        if header < 0 {
            header = bytes.count
            FastCGI.appendHeader(.params, id: id, contentLength: 0, to: &bytes)
        }
        FastCGI.appendPair(name, value, to: &bytes)
    }

    package mutating func append(
        _ name: StaticString, _ value: Span<UInt8>, to bytes: inout [UInt8]
    ) throws(FastCGIError) {
        let text = UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)
        try append(text.span, value, to: &bytes)
    }

    /// Appends a pair whose value `value` appends in its place; nothing when that says false.
    ///
    /// The name has less than 128 bytes.
    package mutating func append(
        _ name: StaticString, to bytes: inout [UInt8], value: (inout [UInt8]) -> Bool
    ) throws(FastCGIError) {
        let before = bytes.count
        if header < 0 { FastCGI.appendHeader(.params, id: id, contentLength: 0, to: &bytes) }
        let start = bytes.count
        bytes.append(UInt8(name.utf8CodeUnitCount))
        bytes.append(0)
        bytes.append(name)
        let valueStart = bytes.count
        guard value(&bytes) else { return bytes.removeLast(bytes.count - before) }
        if header < 0 { header = before }
        let length = bytes.count - valueStart
        if length < 0x80, contentLength(bytes) <= FastCGI.largestContent {
            bytes[start + 1] = UInt8(truncatingIfNeeded: length)
            return
        }
        // A long one has its length in four bytes, and perhaps a record of its own.
        let long = Array(bytes[valueStart...])
        bytes.removeLast(bytes.count - start)
        if start == before + FastCGI.headerLength {
            bytes.removeLast(FastCGI.headerLength)
            header = -1
        }
        try append(name, long.span, to: &bytes)
    }

    /// Appends whole pairs as `FastCGI.appendPair` writes them: one copy when they fit the open record.
    package mutating func append(
        pairs: Span<UInt8>, to bytes: inout [UInt8]
    ) throws(FastCGIError) {
        guard header >= 0, contentLength(bytes) + pairs.count <= FastCGI.largestContent else {
            var reader = FastCGIPairs()
            while let pair = try reader.next(in: pairs) {
                try append(pairs.extracting(pair.name), pairs.extracting(pair.value), to: &bytes)
            }
            return
        }
        bytes.append(pairs)
    }

    /// Closes the last record and ends the stream.
    package mutating func finish(_ bytes: inout [UInt8]) {
        if header >= 0 { close(&bytes) }
        FastCGI.appendEmpty(.params, id: id, to: &bytes)
    }

    private func contentLength(_ bytes: [UInt8]) -> Int {
        bytes.count - header - FastCGI.headerLength
    }

    private mutating func close(_ bytes: inout [UInt8]) {
        let length = contentLength(bytes)
        bytes[header + 4] = UInt8(truncatingIfNeeded: length >> 8)
        bytes[header + 5] = UInt8(truncatingIfNeeded: length)
        header = -1
    }
}
