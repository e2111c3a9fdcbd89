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
    let tag: [UInt8]

    init(_ status: FileStatus, type: StaticString, now: Int64) {
        self.type = type
        length = max(0, status.size)
        modified = min(status.modified, now)
        var tag: [UInt8] = []
        tag.reserveCapacity(56)
        tag.append(UInt8(ascii: "\""))
        Self.appendHexadecimal(status.inode, to: &tag)
        tag.append(UInt8(ascii: "-"))
        Self.appendHexadecimal(UInt64(bitPattern: status.size), to: &tag)
        tag.append(UInt8(ascii: "-"))
        let time = status.modified &* 1_000_000_000 &+ status.modifiedNanoseconds
        Self.appendHexadecimal(UInt64(bitPattern: time), to: &tag)
        tag.append(UInt8(ascii: "\""))
        self.tag = tag
    }

    /// An empty head with room for the fields of a file.
    func head(status: Int) -> ResponseHead {
        var head = ResponseHead()
        head.status = status
        head.block.reserveCapacity(384)
        return head
    }

    func addValidators(to head: inout ResponseHead) {
        head.addField("ETag", tag.span)
        var date: [UInt8] = []
        date.reserveCapacity(HTTPDate.length)
        HTTPDate.append(modified, to: &date)
        head.addField("Last-Modified", date.span)
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

    private static func appendHexadecimal(_ value: UInt64, to bytes: inout [UInt8]) {
        if value >= 16 { appendHexadecimal(value >> 4, to: &bytes) }
        let digit = UInt8(value & 15)
        bytes.append(digit < 10 ? 0x30 + digit : 0x61 + digit - 10)
    }
}
