// What the head of a response says about a file.
// SPDX-License-Identifier: Apache-2.0

import Exchange
import Platform

/// A file's type, length and validators.
struct FileRepresentation {
    let type: StaticString
    let length: Int64
    /// Seconds since 1970; never ahead of the Date field (RFC 9110 §8.8.2.1).
    let modified: Int64
    /// Strong: inode, length and time of modification to the nanosecond, in quotes.
    private var tagBytes = InlineArray<56, UInt8>(repeating: UInt8(ascii: "\""))
    private var tagLength = 1

    init(_ status: FileStatus, type: StaticString, now: Int64) {
        self.type = type
        length = max(0, status.size)
        modified = min(status.modified, now)
        appendToTag(status.inode)
        appendToTag(UInt64(bitPattern: status.size))
        let time = status.modified &* 1_000_000_000 &+ status.modifiedNanoseconds
        appendToTag(UInt64(bitPattern: time))
        // The last separator makes room for the closing quote, which stands there from the beginning.
        tagBytes[tagLength - 1] = UInt8(ascii: "\"")
    }

    /// A number in hexadecimal and the separator behind it.
    private mutating func appendToTag(_ value: UInt64) {
        var shift = 60
        while shift > 0, value >> UInt64(shift) & 15 == 0 { shift -= 4 }
        while shift >= 0 {
            let digit = UInt8(value >> UInt64(shift) & 15)
            tagBytes[tagLength] = digit < 10 ? 0x30 + digit : 0x61 + digit - 10
            tagLength += 1
            shift -= 4
        }
        tagBytes[tagLength] = UInt8(ascii: "-")
        tagLength += 1
    }

    func withTag<Result>(_ body: (Span<UInt8>) -> Result) -> Result {
        body(tagBytes.span.extracting(first: tagLength))
    }

    func addValidators(to head: inout ResponseHead) {
        head.addOwnField("ETag") { block in withTag { block.append($0) } }
        head.addOwnField("Last-Modified") { HTTPDate.append(modified, to: &$0) }
    }

    func addType(to head: inout ResponseHead) {
        head.hasContentType = true
        head.addOwnField("Content-Type") { $0.append(type) }
    }

    /// Appends a Content-Range value: "bytes 0-4/10".
    func append(_ part: Range<Int64>, to bytes: inout [UInt8]) {
        bytes.append(contentsOf: "bytes ".utf8)
        appendDecimal(UInt64(part.lowerBound), to: &bytes)
        bytes.append(UInt8(ascii: "-"))
        appendDecimal(UInt64(part.upperBound - 1), to: &bytes)
        bytes.append(slash)
        appendDecimal(UInt64(length), to: &bytes)
    }
}
