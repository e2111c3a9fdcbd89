// Reading runs of bytes and appending to buffers without temporaries.
// SPDX-License-Identifier: Apache-2.0

extension Array where Element == UInt8 {
    /// Appends the bytes; allocates nothing when there is room.
    package mutating func append(_ bytes: Span<UInt8>) {
        bytes.withUnsafeBufferPointer { append(contentsOf: $0) }
    }

    /// Appends the text's UTF-8; allocates nothing when there is room.
    package mutating func append(_ text: StaticString) {
        text.withUTF8Buffer { append(contentsOf: $0) }
    }

    /// Appends a number in decimal; allocates nothing when there is room.
    package mutating func append(decimal value: UInt64) {
        var digits = InlineArray<20, UInt8>(repeating: 0)
        var rest = value
        var first = 20
        repeat {
            first -= 1
            digits[first] = UInt8(truncatingIfNeeded: rest % 10) + 0x30
            rest /= 10
        } while rest > 0
        Swift.withUnsafeBytes(of: digits) { append(contentsOf: $0[first...]) }
    }
}

extension Span where Element == UInt8 {
    /// Whether the bytes are that text, upper and lower case alike (ASCII).
    package func matches(_ text: StaticString) -> Bool {
        count == text.utf8CodeUnitCount && hasPrefix(text)
    }

    /// Whether the bytes begin with that text, upper and lower case alike (ASCII).
    package func hasPrefix(_ text: StaticString) -> Bool {
        guard count >= text.utf8CodeUnitCount else { return false }
        return text.withUTF8Buffer { expected in
            for index in expected.indices
            where lowercased(self[index]) != lowercased(expected[index]) { return false }
            return true
        }
    }

    /// The range without white space (SP, HTAB) at its ends: OWS of RFC 9110 §5.6.3.
    func trimmed(_ range: Range<Int>) -> Range<Int> {
        var start = range.lowerBound
        var end = range.upperBound
        while start < end, isBlank(self[start]) { start += 1 }
        while end > start, isBlank(self[end - 1]) { end -= 1 }
        return start..<end
    }

    /// A decimal number of digits alone; nil for anything else, an overflow included.
    func decimal() -> Int64? {
        guard count > 0 else { return nil }
        var value: Int64 = 0
        for index in indices {
            guard let digit = digitValue(self[index]) else { return nil }
            let (product, tooLarge) = value.multipliedReportingOverflow(by: 10)
            let (sum, overflow) = product.addingReportingOverflow(Int64(digit))
            if tooLarge || overflow { return nil }
            value = sum
        }
        return value
    }
}

@inline(__always)
func digitValue(_ byte: UInt8) -> UInt8? { isDigit(byte) ? byte - 0x30 : nil }
