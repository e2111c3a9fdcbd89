// Text of strangers in a log: one line stays one line.
// SPDX-License-Identifier: Apache-2.0

/// Makes bytes of any origin harmless in a log line.
///
/// Control characters (C0, DEL, C1), line separators, direction overrides and bytes that are no UTF-8
/// become `\xHH`, and a backslash is doubled, so nobody can forge a line, move a terminal's cursor or
/// imitate an escape.
package enum LogText {
    /// Appends `bytes`, escaped, until `buffer` holds `limit` bytes; false when the rest was cut.
    @discardableResult
    package static func append(
        _ bytes: UnsafeBufferPointer<UInt8>, to buffer: inout [UInt8], limit: Int
    ) -> Bool {
        var index = 0
        while index < bytes.count {
            // The longest form: a character of four bytes, each escaped.
            guard buffer.count + 16 <= limit else { return false }
            let length = lengthOfCharacter(in: bytes, at: index)
            let end = index + max(1, length)
            let isEscaped = length == 0 || isForbidden(bytes, index, length)
            while index < end {
                let byte = bytes[index]
                if isEscaped {
                    appendEscaped(byte, to: &buffer)
                } else {
                    if byte == backslash { buffer.append(backslash) }
                    buffer.append(byte)
                }
                index += 1
            }
        }
        return true
    }

    private static let backslash = UInt8(ascii: "\\")

    private static func appendEscaped(_ byte: UInt8, to buffer: inout [UInt8]) {
        buffer.append(backslash)
        buffer.append(UInt8(ascii: "x"))
        buffer.append(hexadecimal(byte >> 4))
        buffer.append(hexadecimal(byte & 15))
    }

    private static func hexadecimal(_ digit: UInt8) -> UInt8 {
        digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
    }

    /// The bytes of the UTF-8 character at `index` (RFC 3629 §4); 0 when there is none.
    private static func lengthOfCharacter(in bytes: UnsafeBufferPointer<UInt8>, at index: Int)
        -> Int
    {
        let first = bytes[index]
        let length: Int
        var second: ClosedRange<UInt8> = 0x80...0xbf
        switch first {
        case 0x00...0x7f: return 1
        case 0xc2...0xdf: length = 2
        case 0xe0...0xef:
            length = 3
            if first == 0xe0 { second = 0xa0...0xbf }
            if first == 0xed { second = 0x80...0x9f }
        case 0xf0...0xf4:
            length = 4
            if first == 0xf0 { second = 0x90...0xbf }
            if first == 0xf4 { second = 0x80...0x8f }
        default: return 0
        }
        guard bytes.count - index >= length, second ~= bytes[index + 1] else { return 0 }
        for offset in 2..<max(2, length) where bytes[index + offset] & 0xc0 != 0x80 { return 0 }
        return length
    }

    /// U+0000-001F, U+007F-009F, U+2028-202E and U+2066-2069.
    private static func isForbidden(
        _ bytes: UnsafeBufferPointer<UInt8>, _ index: Int, _ length: Int
    ) -> Bool {
        switch length {
        case 1: bytes[index] < 0x20 || bytes[index] == 0x7f
        case 2: bytes[index] == 0xc2 && bytes[index + 1] < 0xa0
        case 3 where bytes[index] == 0xe2:
            switch bytes[index + 1] {
            case 0x80: 0xa8...0xae ~= bytes[index + 2]
            case 0x81: 0xa6...0xa9 ~= bytes[index + 2]
            default: false
            }
        default: false
        }
    }
}
