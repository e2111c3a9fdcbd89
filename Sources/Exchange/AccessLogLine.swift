// One answered request as a line of the access log.
// SPDX-License-Identifier: Apache-2.0

/// The combined log format: host ident user [time] "request line" status bytes "referer" "user-agent".
///
/// Ident and user are "-"; the time is UTC. What the client sent is escaped as Apache does it (`\"`, `\\`,
/// `\n`, `\xHH` for other control bytes and all from 0x80), so a line can neither end early nor hold a
/// field that is not there. Long fields are cut, "..." stands for the rest.
package enum AccessLogLine {
    /// Bytes of the client that appear at most, before escaping, of the request line and of each field.
    package static let longestRequestLine = 8192
    package static let longestField = 1024
    /// What stands behind the target of a request line.
    private static let longestVersion = 16
    /// No line is longer, whatever has to be escaped in it: four bytes for each one.
    package static let longestLine =
        4 * (longestRequestLine + longestVersion + 3 * longestField) + 512

    /// What stands in a line between host and request, ` - - [10/Oct/2000:13:55:36 +0000] "`, for as long as
    /// the second lasts.
    package struct Time: Sendable {
        private var second = Int64.min
        fileprivate var text: [UInt8] = []

        package init() { text.reserveCapacity(64) }

        /// `seconds` is the time since 1970.
        @inline(__always)
        package mutating func update(_ seconds: Int64) {
            if seconds != second { write(seconds) }
        }

        private mutating func write(_ seconds: Int64) {
            second = seconds
            text.removeAll(keepingCapacity: true)
            text.append(contentsOf: " - - [".utf8)
            let time = CivilTime(seconds: seconds)
            CivilTime.append(time.day, to: &text)
            text.append(UInt8(ascii: "/"))
            CivilTime.append(CivilTime.monthNames, time.month - 1, to: &text)
            text.append(UInt8(ascii: "/"))
            CivilTime.append(time.year / 100, to: &text)
            CivilTime.append(time.year, to: &text)
            for part in [time.hour, time.minute, time.second] {
                text.append(UInt8(ascii: ":"))
                CivilTime.append(part, to: &text)
            }
            text.append(contentsOf: " +0000] \"".utf8)
        }
    }

    /// Appends the line with its end; there must be room for `longestLine`.
    ///
    /// `note` is what a handler adds to the query (HSE_APPEND_LOG_PARAMETER). `bytes` are those of the
    /// response's body, `host` appends the client's address. For a request that was refused while it was
    /// parsed, `refused` is what was received of it: its first line is shown, and nothing of `request`.
    package static func append(
        _ request: Request, refused: Span<UInt8>, status: Int, bytes: Int64, note: Span<UInt8>,
        time: borrowing Time, to line: inout OutputSpan<UInt8>,
        host: (inout OutputSpan<UInt8>) -> Void
    ) {
        host(&line)
        copy(time.text.span, to: &line)
        if refused.isEmpty {
            appendRequestLine(request, note: note, to: &line)
        } else {
            appendFirstLine(refused, limit: longestRequestLine, to: &line)
        }
        append("\" ", to: &line)
        appendNumber(UInt64(clamping: status), to: &line)
        append(" ", to: &line)
        appendNumber(UInt64(clamping: bytes), to: &line)
        guard refused.isEmpty else { return append(" \"-\" \"-\"\n", to: &line) }
        append(" \"", to: &line)
        appendField("Referer", of: request, to: &line)
        append("\" \"", to: &line)
        appendField("User-Agent", of: request, to: &line)
        append("\"\n", to: &line)
    }

    private static func appendRequestLine(
        _ request: Request, note: Span<UInt8>, to line: inout OutputSpan<UInt8>
    ) {
        let head = request.bytes
        let bytes = head.span
        let targetEnd = request.target.range.upperBound
        guard !note.isEmpty, targetEnd <= bytes.count else {
            return appendFirstLine(bytes, limit: longestRequestLine, to: &line)
        }
        append(bytes.extracting(0..<targetEnd), limit: longestRequestLine, to: &line)
        if !request.hasQuery { append("?", to: &line) }
        append(note, limit: longestField, to: &line)
        appendFirstLine(
            bytes.extracting(targetEnd..<bytes.count), limit: longestVersion, to: &line)
    }

    /// What stands before the first line end.
    private static func appendFirstLine(
        _ bytes: Span<UInt8>, limit: Int, to line: inout OutputSpan<UInt8>
    ) {
        guard !bytes.isEmpty, !isLineEnd(bytes[0]) else { return append("-", to: &line) }
        append(bytes, limit: limit, endsWithLine: true, to: &line)
    }

    private static func appendField(
        _ name: StaticString, of request: Request, to line: inout OutputSpan<UInt8>
    ) {
        guard let value = request.value(of: name), !value.isEmpty else {
            return append("-", to: &line)
        }
        let head = request.bytes
        append(head.span.extracting(value.range), limit: longestField, to: &line)
    }

    private static func appendNumber(_ value: UInt64, to line: inout OutputSpan<UInt8>) {
        if value >= 10 { appendNumber(value / 10, to: &line) }
        line.append(UInt8(ascii: "0") + UInt8(value % 10))
    }

    private static func append(_ text: StaticString, to line: inout OutputSpan<UInt8>) {
        text.withUTF8Buffer { copy($0.span, to: &line) }
    }

    private static func copy(_ bytes: Span<UInt8>, to line: inout OutputSpan<UInt8>) {
        precondition(bytes.count <= line.freeCapacity, "a line longer than the longest")
        line.withUnsafeMutableBufferPointer { room, count in
            bytes.withUnsafeBytes { bytes in
                UnsafeMutableRawBufferPointer(
                    rebasing: UnsafeMutableRawBufferPointer(room)[count...]
                )
                .copyMemory(from: bytes)
            }
            count += bytes.count
        }
    }

    // MARK: Bytes of a stranger

    /// Appends them as Apache's ap_escape_logitem does, in runs: most need no escape.
    private static func append(
        _ bytes: Span<UInt8>, limit: Int, endsWithLine: Bool = false,
        to line: inout OutputSpan<UInt8>
    ) {
        let count = min(bytes.count, limit)
        var start = 0
        while true {
            let end = endOfHarmless(bytes, from: start, to: count)
            copy(bytes.extracting(start..<end), to: &line)
            guard end < count else { break }
            if endsWithLine, isLineEnd(bytes[end]) { return }
            appendEscaped(bytes[end], to: &line)
            start = end + 1
        }
        guard bytes.count > limit, !(endsWithLine && isLineEnd(bytes[limit])) else { return }
        append("...", to: &line)
    }

    /// Where the first byte stands that must be escaped: eight are looked at at a time.
    private static func endOfHarmless(_ bytes: Span<UInt8>, from start: Int, to end: Int) -> Int {
        let raw = bytes.bytes
        let ones: UInt64 = 0x0101_0101_0101_0101
        var index = start
        while index + 8 <= end {
            let word = UInt64(
                littleEndian: raw.unsafeLoadUnaligned(
                    fromUncheckedByteOffset: index, as: UInt64.self))
            // In each term the highest bit of a byte is set where one stands; the lowest such byte is exact.
            let quote = word ^ (ones &* 0x22)
            let backslash = word ^ (ones &* 0x5c)
            let control = (word &- ones &* 0x20) & ~word
            let delete = word &+ ones
            let special = ((quote &- ones) & ~quote) | ((backslash &- ones) & ~backslash)
            let harmful = (word | control | delete | special) & (ones &* 0x80)
            if harmful != 0 { return index + (harmful.trailingZeroBitCount >> 3) }
            index += 8
        }
        while index < end, isHarmless(bytes[unchecked: index]) { index += 1 }
        return index
    }

    private static func isHarmless(_ byte: UInt8) -> Bool {
        byte >= 0x20 && byte < 0x7f && byte != 0x22 && byte != 0x5c
    }

    private static func isLineEnd(_ byte: UInt8) -> Bool { byte == 0x0d || byte == 0x0a }

    private static func appendEscaped(_ byte: UInt8, to line: inout OutputSpan<UInt8>) {
        line.append(UInt8(ascii: "\\"))
        switch byte {
        case 0x22, 0x5c: line.append(byte)
        case 0x08: line.append(UInt8(ascii: "b"))
        case 0x0a: line.append(UInt8(ascii: "n"))
        case 0x0d: line.append(UInt8(ascii: "r"))
        case 0x09: line.append(UInt8(ascii: "t"))
        case 0x0b: line.append(UInt8(ascii: "v"))
        default:
            line.append(UInt8(ascii: "x"))
            line.append(hexadecimal(byte >> 4))
            line.append(hexadecimal(byte & 15))
        }
    }

    private static func hexadecimal(_ digit: UInt8) -> UInt8 {
        digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
    }
}
