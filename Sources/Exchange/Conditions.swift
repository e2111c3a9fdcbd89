// Whether the client's conditions let a request for a representation go on.
// SPDX-License-Identifier: Apache-2.0

/// Preconditions of a request in the order of RFC 9110 §13.2.2.
package enum Conditions {
    package enum Verdict: Sendable, Equatable {
        /// Answer; a Range field counts only when `range` is true.
        case proceed(range: Bool)
        /// 304
        case notModified
        /// 412
        case failed
    }

    /// Judges the request for an existing representation with this entity tag (quoted, "W/" in front
    /// when weak) and modification time, both as sent in the response. Times are seconds since 1970.
    package static func judge(
        _ request: Request, tag: Span<UInt8>, modified: Int64, now: Int64
    ) -> Verdict {
        let reads = request.method == .get || request.method == .head
        let bytes = request.bytes
        // 1 and 2.
        if request.value(of: "If-Match") != nil {
            guard isListed(tag, in: "If-Match", of: request, weakly: false) else { return .failed }
        } else if let limit = date("If-Unmodified-Since", request, now) {
            guard modified <= limit else { return .failed }
        }
        // 3 and 4.
        if request.value(of: "If-None-Match") != nil {
            if isListed(tag, in: "If-None-Match", of: request, weakly: true) {
                return reads ? .notModified : .failed
            }
        } else if reads, let limit = date("If-Modified-Since", request, now), modified <= limit {
            return .notModified
        }
        // 5. Range is defined for GET alone (RFC 9110 §14.2).
        guard request.method == .get, request.value(of: "Range") != nil else {
            return .proceed(range: false)
        }
        guard let value = request.value(of: "If-Range") else { return .proceed(range: true) }
        let condition = bytes.span.extracting(value.range)
        return .proceed(range: holds(ifRange: condition, tag: tag, modified: modified, now: now))
    }

    /// Whether a validator of If-Range names this representation exactly (RFC 9110 §13.1.5).
    private static func holds(
        ifRange condition: Span<UInt8>, tag: Span<UInt8>, modified: Int64, now: Int64
    ) -> Bool {
        if let date = HTTPDate.parse(condition, now: now) {
            // A date is a strong validator once its second is over (RFC 9110 §8.8.2.2).
            return date == modified && modified < now
        }
        guard let length = lengthOfTag(condition, at: 0), length == condition.count else {
            return false
        }
        return isSame(tag, condition, 0..<length, weakly: false)
    }

    /// The one date of that field; nil when absent, repeated or malformed.
    private static func date(_ name: StaticString, _ request: Request, _ now: Int64) -> Int64? {
        var found: Request.Slice?
        for field in request.fields where request.matches(field.name, name) {
            if found != nil { return nil }
            found = field.value
        }
        guard let found else { return nil }
        let bytes = request.bytes
        return HTTPDate.parse(bytes.span.extracting(found.range), now: now)
    }

    /// Whether a field of that name is "*" or lists the tag.
    private static func isListed(
        _ tag: Span<UInt8>, in name: StaticString, of request: Request, weakly: Bool
    ) -> Bool {
        let bytes = request.bytes
        for field in request.fields where request.matches(field.name, name) {
            if lists(bytes.span.extracting(field.value.range), tag, weakly: weakly) { return true }
        }
        return false
    }

    private static func lists(_ list: Span<UInt8>, _ tag: Span<UInt8>, weakly: Bool) -> Bool {
        if list.count == 1 && list[0] == UInt8(ascii: "*") { return true }
        var next = 0
        while next < list.count {
            switch list[next] {
            case UInt8(ascii: ","), 0x20, 0x09: next += 1
            default:
                // What follows a malformed tag cannot be told apart: the list ends.
                guard let length = lengthOfTag(list, at: next) else { return false }
                if isSame(tag, list, next..<next + length, weakly: weakly) { return true }
                next += length
            }
        }
        return false
    }

    /// The bytes of an entity-tag (RFC 9110 §8.8.3); nil when there is none.
    private static func lengthOfTag(_ list: Span<UInt8>, at start: Int) -> Int? {
        var next = start
        if isWeak(list, at: next) { next += 2 }
        guard next < list.count, list[next] == UInt8(ascii: "\"") else { return nil }
        next += 1
        while next < list.count, list[next] != UInt8(ascii: "\"") { next += 1 }
        return next < list.count ? next + 1 - start : nil
    }

    /// Weak comparison looks at the opaque part alone; for the strong one both are strong
    /// (RFC 9110 §8.8.3.2).
    private static func isSame(
        _ tag: Span<UInt8>, _ list: Span<UInt8>, _ other: Range<Int>, weakly: Bool
    ) -> Bool {
        let tagIsWeak = isWeak(tag, at: 0)
        let otherIsWeak = isWeak(list, at: other.lowerBound)
        if !weakly && (tagIsWeak || otherIsWeak) { return false }
        let start = tagIsWeak ? 2 : 0
        let otherStart = other.lowerBound + (otherIsWeak ? 2 : 0)
        guard tag.count - start == other.upperBound - otherStart else { return false }
        for offset in 0..<tag.count - start where tag[start + offset] != list[otherStart + offset] {
            return false
        }
        return true
    }

    private static func isWeak(_ bytes: Span<UInt8>, at index: Int) -> Bool {
        bytes.count - index >= 2 && bytes[index] == UInt8(ascii: "W")
            && bytes[index + 1] == UInt8(ascii: "/")
    }
}
