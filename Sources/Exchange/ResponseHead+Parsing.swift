// How the head of a response is read: lenient with extensions, strict with gateways.
// SPDX-License-Identifier: Apache-2.0

/// What is wrong with a response's head. Nothing of a refused head is passed on.
package enum ResponseHeadError: Error, Equatable, Sendable, CustomStringConvertible {
    case tooLarge
    case noBlankLine
    case noFields
    case malformedLine
    case malformedName
    case malformedValue
    case invalidStatus
    case duplicateStatus
    case invalidContentLength
    case invalidTransferEncoding
    case duplicateLocation

    package var description: String {
        switch self {
        case .tooLarge: "the response head is larger than 64 KiB"
        case .noBlankLine: "the response ended before the blank line after its head"
        case .noFields: "the response has no header field"
        case .malformedLine: "a line of the response head is no header field"
        case .malformedName: "a header field's name is no token"
        case .malformedValue: "a header field's value contains a control character"
        case .invalidStatus: "the response's status is not a number from 200 to 599"
        case .duplicateStatus: "the response has two Status fields"
        case .invalidContentLength: "the response's Content-Length is invalid or there are two"
        case .invalidTransferEncoding: "the response's Transfer-Encoding is not understood"
        case .duplicateLocation: "the response has two Location fields"
        }
    }
}

extension ResponseHead {
    /// Who wrote the head decides how it is read.
    package enum Rules: Sendable {
        /// An extension, through ISAPI calls: `Name : value` is normalised, an `HTTP/1.x` status line
        /// and a `Status` field are understood, `Transfer-Encoding: chunked` and `Connection: close`
        /// are honoured.
        case fromExtension
        /// A CGI or FastCGI program (RFC 3875 §6.3): framing is the server's alone.
        case fromGateway
        /// A mortise worker: as from a gateway, but `Connection: close` is honoured and
        /// `Transfer-Encoding` refused, for the worker has decoded it.
        case fromWorker
    }

    /// The most bytes of a head.
    package static let largestHead = 64 * 1024

    /// Empties the head and keeps its memory.
    package mutating func reset() {
        status = 200
        if !reason.isEmpty { reason.removeAll(keepingCapacity: true) }
        if !block.isEmpty { block.removeAll(keepingCapacity: true) }
        contentLength = nil
        isChunked = false
        closesConnection = false
        hasContentType = false
        hasDate = false
        hasServer = false
        if !location.isEmpty { location.removeAll(keepingCapacity: true) }
        hasStatus = false
    }

    /// Where the head ends: the count of bytes up to and including the blank line; nil = not there yet.
    ///
    /// `start` is where an earlier search of the same bytes may go on: their count then.
    package static func length(in bytes: Span<UInt8>, from start: Int = 0) -> Int? {
        // The blank line may have begun before `start`: "\n\r" and then "\n".
        var index = max(0, start - 2)
        var isLineStart = index == 0 || bytes[index - 1] == 0x0a
        while index < bytes.count {
            if bytes[index] == 0x0a {
                if isLineStart { return index + 1 }
                isLineStart = true
            } else if bytes[index] != 0x0d || index + 1 < bytes.count && bytes[index + 1] != 0x0a {
                isLineStart = false
            }
            index += 1
        }
        return nil
    }

    /// Reads field lines up to and including the blank line.
    ///
    /// `atEnd` says that nothing will follow: an extension may leave the blank line out then.
    /// - Returns: the bytes consumed; nil when the blank line has not come yet (nothing was read then).
    package mutating func parse(
        _ bytes: Span<UInt8>, _ rules: Rules, atEnd: Bool = false
    ) throws(ResponseHeadError) -> Int? {
        let window =
            bytes.count > Self.largestHead ? bytes.extracting(first: Self.largestHead) : bytes
        var end = Self.length(in: window)
        if end == nil {
            if bytes.count > Self.largestHead { throw .tooLarge }
            guard atEnd else { return nil }
            guard rules == .fromExtension else { throw .noBlankLine }
            end = bytes.count
        }
        guard let end else { return nil }
        try parseLines(bytes.extracting(first: end), rules)
        return end
    }

    private mutating func parseLines(_ bytes: Span<UInt8>, _ rules: Rules) throws(ResponseHeadError)
    {
        var seen = Seen()
        var start = 0
        while start < bytes.count {
            var next = start
            while next < bytes.count, bytes[next] != 0x0a { next += 1 }
            var line = start..<next
            // One CR belongs to the line's end; another is a control character in a value.
            if !line.isEmpty, bytes[line.upperBound - 1] == 0x0d {
                line = line.lowerBound..<line.upperBound - 1
            }
            if rules == .fromExtension { line = Self.withoutEndingZeros(bytes, line) }
            let isFirst = start == 0
            start = next + 1
            if line.isEmpty { continue }
            try parseLine(bytes.extracting(line), rules, isFirst: isFirst, &seen)
        }
        guard seen.fields > 0 || rules == .fromExtension else { throw .noFields }
        // RFC 3875 §6.2.3: a Location without a status is a redirect.
        if rules != .fromExtension, !hasStatus, !location.isEmpty { status = 302 }
    }

    /// A length that counted the terminating NUL.
    private static func withoutEndingZeros(_ bytes: Span<UInt8>, _ line: Range<Int>) -> Range<Int> {
        var end = line.upperBound
        while end > line.lowerBound, bytes[end - 1] == 0 { end -= 1 }
        return line.lowerBound..<end
    }

    private mutating func parseLine(
        _ line: Span<UInt8>, _ rules: Rules, isFirst: Bool, _ seen: inout Seen
    ) throws(ResponseHeadError) {
        if isFirst, line.hasPrefix("HTTP/") {
            try parseStatusLine(line)
            seen.status = true
            seen.fields += 1
            return
        }
        var colon = 0
        while colon < line.count, line[colon] != UInt8(ascii: ":") { colon += 1 }
        guard colon < line.count else { throw .malformedLine }
        var name = 0..<colon
        if rules == .fromExtension { name = line.trimmed(name) }
        seen.fields += 1
        try take(
            line.extracting(name), line.extracting(line.trimmed(colon + 1..<line.count)), rules,
            &seen)
    }

    /// "HTTP/1.1 200 OK"
    private mutating func parseStatusLine(_ line: Span<UInt8>) throws(ResponseHeadError) {
        var space = 0
        while space < line.count, line[space] != 0x20 { space += 1 }
        guard setStatus(line.extracting(space..<line.count)) else { throw .invalidStatus }
    }
}
