// Which parts of a representation the client asks for.
// SPDX-License-Identifier: Apache-2.0

/// The ranges of a Range field, checked against the length they apply to (RFC 9110 §14).
///
/// A field that is malformed, has another unit, asks for more than `most` ranges or for overlapping
/// ones is ignored, as RFC 9110 §14.2 allows: the answer is the whole representation. So the parts of
/// an answer are never longer than the whole together (CVE-2011-3192). Numbers of any size saturate.
package struct ByteRanges: Sendable {
    /// The most ranges of one answer.
    package static let most = 16

    package enum Selection {
        /// Send everything, status 200.
        case whole
        /// Send these, status 206.
        case parts(ByteRanges)
        /// No range lies inside, status 416.
        case unsatisfiable
    }

    /// In the order the client asked for.
    private var ranges = InlineArray<16, Range<Int64>>(repeating: 0..<0)
    package private(set) var count = 0

    /// A range inside the representation, never empty. `index` is below `count`.
    package subscript(index: Int) -> Range<Int64> {
        precondition(index < count, "a range beyond those asked for")
        return ranges[index]
    }

    /// Reads the field's value for a representation of that many bytes.
    package static func select(_ field: Span<UInt8>, length: Int64) -> Selection {
        guard equalsIgnoringCase(field, 0, "bytes=") else { return .whole }
        var ranges = ByteRanges()
        var start = 6
        var hasElement = false
        while start < field.count {
            var end = start
            while end < field.count && field[end] != UInt8(ascii: ",") { end += 1 }
            let element = trim(field, start..<end)
            start = end + 1
            // Empty list elements are legal (RFC 9110 §5.6.1.2).
            if element.isEmpty { continue }
            hasElement = true
            switch read(field, element, length: length) {
            case .malformed: return .whole
            case .outside: continue
            case .inside(let range): guard ranges.add(range) else { return .whole }
            }
        }
        if !hasElement { return .whole }
        return ranges.count == 0 ? .unsatisfiable : .parts(ranges)
    }

    /// False when there are too many already or one of them overlaps.
    private mutating func add(_ range: Range<Int64>) -> Bool {
        guard count < Self.most else { return false }
        for index in 0..<count where ranges[index].overlaps(range) { return false }
        ranges[count] = range
        count += 1
        return true
    }

    private enum Element { case malformed, outside, inside(Range<Int64>) }

    /// "0-99", "100-" or "-5".
    private static func read(_ field: Span<UInt8>, _ element: Range<Int>, length: Int64) -> Element
    {
        var next = element.lowerBound
        let first = readNumber(field, &next, element.upperBound)
        guard next < element.upperBound, field[next] == UInt8(ascii: "-") else { return .malformed }
        next += 1
        let last = readNumber(field, &next, element.upperBound)
        guard next == element.upperBound else { return .malformed }
        switch (first, last) {
        case (nil, nil): return .malformed
        case (nil, let suffix?):
            // A suffix of nothing has no form in Content-Range: the whole is sent.
            if length == 0 && suffix > 0 { return .malformed }
            return suffix == 0 ? .outside : .inside(length - min(suffix, length)..<length)
        case (let first?, let last):
            if let last, last < first { return .malformed }
            guard first < length else { return .outside }
            return .inside(first..<min(last ?? length, length - 1) + 1)
        }
    }

    /// Digits as a number that stops at the largest; nil when there is none.
    private static func readNumber(_ field: Span<UInt8>, _ next: inout Int, _ end: Int) -> Int64? {
        let start = next
        var value: Int64 = 0
        while next < end, isDigit(field[next]) {
            let (tenfold, first) = value.multipliedReportingOverflow(by: 10)
            let (sum, second) = tenfold.addingReportingOverflow(Int64(field[next] - 0x30))
            value = first || second ? .max : sum
            next += 1
        }
        return next > start ? value : nil
    }

    private static func trim(_ field: Span<UInt8>, _ range: Range<Int>) -> Range<Int> {
        var start = range.lowerBound
        var end = range.upperBound
        while start < end, isBlank(field[start]) { start += 1 }
        while end > start, isBlank(field[end - 1]) { end -= 1 }
        return start..<end
    }
}
