// Whether the first bytes of a response are a head.
// SPDX-License-Identifier: Apache-2.0

internal import Exchange

/// Tells a head from a body when an extension writes without a header call.
///
/// A head begins with "HTTP/1." or with a field name and a colon. The bytes may come one at a time, so
/// there is a third answer: not known yet.
enum InBand {
    enum Kind: Equatable { case head, body, undecided }

    /// No field that a response has is longer.
    private static let longestName = 64

    static func beginsWithVersion(_ bytes: [UInt8]) -> Bool { equals(bytes.span, 0, "HTTP/1.") }

    static func classify(_ bytes: [UInt8]) -> Kind { classify(bytes.span) }

    static func classify(_ bytes: Span<UInt8>) -> Kind {
        if equals(bytes, 0, "HTTP/1.") { return .head }
        let version: StaticString = "HTTP/1."
        if bytes.count < version.utf8CodeUnitCount
            && version.withUTF8Buffer({ $0.starts(with: bytes.bytesForComparison) })
        {
            return .undecided
        }
        var index = 0
        while index < bytes.count, isToken(bytes[index]) { index += 1 }
        guard index > 0 || bytes.count == 0, index <= longestName else { return .body }
        // "Name : value" is seen too.
        while index < bytes.count, isBlank(bytes[index]) { index += 1 }
        guard index < bytes.count else { return .undecided }
        return bytes[index] == UInt8(ascii: ":") ? .head : .body
    }
}

extension Span where Element == UInt8 {
    /// The bytes as an array; for a handful of them.
    fileprivate var bytesForComparison: [UInt8] { withUnsafeBufferPointer { Array($0) } }
}
