// What a byte may be in HTTP, and comparing bytes with words.
// SPDX-License-Identifier: Apache-2.0

/// A set of ASCII bytes as two words of bits: membership is a shift, no memory is read.
private struct ByteClass {
    let low: UInt64
    let high: UInt64

    /// Visible ASCII but for "#" and the backslash, which no request target has (RFC 3986 §2).
    static let target = ByteClass(low: 0xffff_fff6_0000_0000, high: 0x7fff_ffff_efff_ffff)
    static let hexDigit = ByteClass(low: 0x03ff_0000_0000_0000, high: 0x0000_007e_0000_007e)
    static let alphanumeric = ByteClass(low: 0x03ff_0000_0000_0000, high: 0x07ff_fffe_07ff_fffe)

    @inline(__always)
    func contains(_ byte: UInt8) -> Bool {
        let word = byte < 64 ? low : byte < 128 ? high : 0
        return word >> UInt64(byte & 63) & 1 != 0
    }
}

/// By byte, whether it is a letter, a digit or one of !#$%&'*+-.^_`|~ (RFC 9110 §5.6.2): names are the one
/// thing in a head that is looked at byte by byte, and reading this costs less than two words of bits.
private let tokenBytes: StaticString = """
    0000000000000000000000000000000001011111001101101111111111000000\
    0111111111111111111111111110001111111111111111111111111111101010\
    0000000000000000000000000000000000000000000000000000000000000000\
    0000000000000000000000000000000000000000000000000000000000000000
    """

/// A byte of a token: a method, a field name (RFC 9110 §5.6.2).
@inline(__always) package func isToken(_ byte: UInt8) -> Bool {
    tokenBytes.utf8Start[Int(byte)] == UInt8(ascii: "1")
}
/// A byte of a request target: visible ASCII without "#" and "\".
@inline(__always) func isTargetByte(_ byte: UInt8) -> Bool { ByteClass.target.contains(byte) }
/// A byte of a field value: anything but control bytes; HTAB is allowed (RFC 9110 §5.5).
@inline(__always) package func isValueByte(_ byte: UInt8) -> Bool {
    (byte >= 0x20 && byte != 0x7f) || byte == 0x09
}
@inline(__always) package func isDigit(_ byte: UInt8) -> Bool { byte &- 0x30 < 10 }
@inline(__always) package func isHexDigit(_ byte: UInt8) -> Bool {
    ByteClass.hexDigit.contains(byte)
}
@inline(__always) package func isAlphanumeric(_ byte: UInt8) -> Bool {
    ByteClass.alphanumeric.contains(byte)
}
/// A space or a tab: OWS of RFC 9110 §5.6.3.
@inline(__always) package func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

@inline(__always)
package func isOne(_ byte: UInt8, of set: StaticString) -> Bool {
    set.withUTF8Buffer { $0.contains(byte) }
}

/// The value of a hexadecimal digit; nil for another byte.
package func hexValue(_ byte: UInt8) -> UInt8? {
    switch byte {
    case 0x30...0x39: byte - 0x30
    case 0x41...0x46: byte - 0x41 + 10
    case 0x61...0x66: byte - 0x61 + 10
    default: nil
    }
}

/// Whether that text stands at `start`.
package func equals(_ bytes: Span<UInt8>, _ start: Int, _ text: StaticString) -> Bool {
    guard start >= 0, bytes.count - start >= text.utf8CodeUnitCount else { return false }
    return text.withUTF8Buffer { expected in
        for index in 0..<expected.count where bytes[unchecked: start + index] != expected[index] {
            return false
        }
        return true
    }
}

/// Whether that text, given in lower case, stands at `start` in any case (ASCII).
package func equalsIgnoringCase(_ bytes: Span<UInt8>, _ start: Int, _ text: StaticString) -> Bool {
    guard start >= 0, bytes.count - start >= text.utf8CodeUnitCount else { return false }
    return text.withUTF8Buffer { expected in
        for index in 0..<expected.count
        where lowercased(bytes[unchecked: start + index]) != expected[index] { return false }
        return true
    }
}

/// Whether the range is exactly that text, given in lower case, in any case (ASCII).
package func equalsIgnoringCase(
    _ bytes: Span<UInt8>, _ range: Range<Int>, _ text: StaticString
) -> Bool {
    range.count == text.utf8CodeUnitCount && equalsIgnoringCase(bytes, range.lowerBound, text)
}

/// Where the next LF stands, or the end: eight bytes at a time, for every byte of a head is looked at.
func lineFeed(in bytes: Span<UInt8>, from start: Int) -> Int {
    var index = start
    while index + 8 <= bytes.count {
        let zeros = zeroBytes(eightBytes(of: bytes, at: index) ^ 0x0a0a_0a0a_0a0a_0a0a)
        if zeros != 0 { return index + (zeros.trailingZeroBitCount >> 3) }
        index += 8
    }
    while index < bytes.count, bytes[unchecked: index] != 0x0a { index += 1 }
    return index
}

/// The first byte that a field value may not have, or the end: eight bytes at a time as well.
func endOfValue(in bytes: Span<UInt8>, from start: Int) -> Int {
    var index = start
    while index + 8 <= bytes.count {
        let word = eightBytes(of: bytes, at: index)
        let controls = (word &- 0x2020_2020_2020_2020) & ~word & 0x8080_8080_8080_8080
        let found = controls | zeroBytes(word ^ 0x7f7f_7f7f_7f7f_7f7f)
        guard found != 0 else {
            index += 8
            continue
        }
        index += found.trailingZeroBitCount >> 3
        guard bytes[unchecked: index] == 0x09 else { return index }
        index += 1
    }
    while index < bytes.count, isValueByte(bytes[unchecked: index]) { index += 1 }
    return index
}

@inline(__always)
private func eightBytes(of bytes: Span<UInt8>, at index: Int) -> UInt64 {
    UInt64(
        littleEndian: bytes.bytes.unsafeLoadUnaligned(
            fromUncheckedByteOffset: index, as: UInt64.self))
}

/// The highest bit of each byte that is zero. A borrow may set it above such a byte, never below: the
/// lowest one is exact.
@inline(__always)
private func zeroBytes(_ word: UInt64) -> UInt64 {
    (word &- 0x0101_0101_0101_0101) & ~word & 0x8080_8080_8080_8080
}
