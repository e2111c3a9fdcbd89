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

    /// Appends the line with its end; allocates nothing when the buffer has room.
    ///
    /// `note` is what a handler adds to the query (HSE_APPEND_LOG_PARAMETER). `bytes` are those of the
    /// response's body, `time` is seconds since 1970, `host` appends the client's address. For a request
    /// that was refused while it was parsed, `refused` is what was received of it: its first line is
    /// shown, and nothing of `request`.
    package static func append(
        _ request: Request, refused: Span<UInt8>, status: Int, bytes: Int64, note: Span<UInt8>,
        time: Int64, to line: inout [UInt8], host: (inout [UInt8]) -> Void
    ) {
        host(&line)
        append(" - - [", to: &line)
        appendTime(time, to: &line)
        append("] \"", to: &line)
        if refused.isEmpty {
            appendRequestLine(request, note: note, to: &line)
        } else {
            appendFirstLine(refused, to: &line)
        }
        append("\" ", to: &line)
        appendNumber(UInt64(clamping: status), to: &line)
        line.append(UInt8(ascii: " "))
        appendNumber(UInt64(clamping: bytes), to: &line)
        if refused.isEmpty {
            append(" \"", to: &line)
            appendField("Referer", of: request, to: &line)
            append("\" \"", to: &line)
            appendField("User-Agent", of: request, to: &line)
            append("\"\n", to: &line)
        } else {
            append(" \"-\" \"-\"\n", to: &line)
        }
    }

    private static func appendRequestLine(
        _ request: Request, note: Span<UInt8>, to line: inout [UInt8]
    ) {
        let bytes = request.bytes
        let targetEnd = request.target.range.upperBound
        guard !note.isEmpty, targetEnd <= bytes.count else {
            return appendFirstLine(bytes.span, to: &line)
        }
        append(bytes.span.extracting(0..<targetEnd), limit: longestRequestLine, to: &line)
        if !request.hasQuery { line.append(UInt8(ascii: "?")) }
        append(note, limit: longestField, to: &line)
        appendFirstLine(bytes.span.extracting(targetEnd..<bytes.count), to: &line)
    }

    /// What stands before the first line end.
    private static func appendFirstLine(_ bytes: Span<UInt8>, to line: inout [UInt8]) {
        var end = 0
        while end < bytes.count && bytes[end] != 0x0d && bytes[end] != 0x0a { end += 1 }
        guard end > 0 else { return line.append(UInt8(ascii: "-")) }
        append(bytes.extracting(0..<end), limit: longestRequestLine, to: &line)
    }

    private static func appendField(
        _ name: StaticString, of request: Request, to line: inout [UInt8]
    ) {
        guard let value = request.value(of: name), !value.isEmpty else {
            return line.append(UInt8(ascii: "-"))
        }
        let bytes = request.bytes
        append(bytes.span.extracting(value.range), limit: longestField, to: &line)
    }

    /// "10/Oct/2000:13:55:36 +0000"
    private static func appendTime(_ seconds: Int64, to line: inout [UInt8]) {
        let time = CivilTime(seconds: seconds)
        CivilTime.append(time.day, to: &line)
        line.append(UInt8(ascii: "/"))
        CivilTime.append(CivilTime.monthNames, time.month - 1, to: &line)
        line.append(UInt8(ascii: "/"))
        CivilTime.append(time.year / 100, to: &line)
        CivilTime.append(time.year, to: &line)
        line.append(UInt8(ascii: ":"))
        CivilTime.append(time.hour, to: &line)
        line.append(UInt8(ascii: ":"))
        CivilTime.append(time.minute, to: &line)
        line.append(UInt8(ascii: ":"))
        CivilTime.append(time.second, to: &line)
        append(" +0000", to: &line)
    }

    private static func appendNumber(_ value: UInt64, to line: inout [UInt8]) {
        if value >= 10 { appendNumber(value / 10, to: &line) }
        line.append(UInt8(ascii: "0") + UInt8(value % 10))
    }

    private static func append(_ text: StaticString, to line: inout [UInt8]) {
        text.withUTF8Buffer { line.append(contentsOf: $0) }
    }

    /// Appends bytes of a stranger (Apache's ap_escape_logitem).
    static func append(_ bytes: Span<UInt8>, limit: Int, to line: inout [UInt8]) {
        for index in 0..<min(bytes.count, limit) {
            let byte = bytes[index]
            if byte >= 0x20 && byte < 0x7f && byte != 0x22 && byte != 0x5c {
                line.append(byte)
            } else {
                appendEscaped(byte, to: &line)
            }
        }
        if bytes.count > limit { append("...", to: &line) }
    }

    private static func appendEscaped(_ byte: UInt8, to line: inout [UInt8]) {
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
