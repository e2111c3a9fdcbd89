// Path patterns that are tried one after the other: for a few of them nothing is faster.
// SPDX-License-Identifier: Apache-2.0

/// Path patterns in their order, with their texts in one piece of memory.
struct PatternList: Sendable {
    private struct Entry {
        var start: Int
        var length: Int
        var isSuffix: Bool
    }

    private var entries: [Entry] = []
    private var texts: [UInt8] = []

    init(_ patterns: [PathTable.Pattern]) {
        for pattern in patterns {
            switch pattern {
            case .prefix(let text): append(text, isSuffix: false)
            case .suffix(let text): append(text, isSuffix: true)
            }
        }
    }

    private mutating func append(_ text: [UInt8], isSuffix: Bool) {
        entries.append(Entry(start: texts.count, length: text.count, isSuffix: isSuffix))
        texts += text
    }

    /// The first pattern from that place on that the path fits.
    func first(from number: Int, for path: Span<UInt8>) -> Int? {
        let entries = entries.span
        var number = number
        while number < entries.count {
            let entry = entries[number]
            if entry.isSuffix ? hasSuffix(path, entry) : isBelow(path, entry) { return number }
            number &+= 1
        }
        return nil
    }

    @inline(__always)
    private func isBelow(_ path: Span<UInt8>, _ entry: Entry) -> Bool {
        guard entry.length <= path.count else { return false }
        guard entry.length == path.count || path[entry.length] == UInt8(ascii: "/") else {
            return false
        }
        return stands(entry, in: path, at: 0)
    }

    private func hasSuffix(_ path: Span<UInt8>, _ entry: Entry) -> Bool {
        var start = 1
        while start < path.count {
            var end = start
            while end < path.count, path[unchecked: end] != UInt8(ascii: "/") { end &+= 1 }
            // A segment is longer than its suffix.
            if end - start > entry.length, stands(entry, in: path, at: end - entry.length) {
                return true
            }
            start = end + 1
        }
        return false
    }

    @inline(__always)
    private func stands(_ entry: Entry, in path: Span<UInt8>, at start: Int) -> Bool {
        let expected = texts.span.extracting(entry.start..<entry.start &+ entry.length)
        let found = path.extracting(start..<start &+ entry.length)
        var index = 0
        while index < expected.count {
            guard found[unchecked: index] == expected[unchecked: index] else { return false }
            index &+= 1
        }
        return true
    }
}
