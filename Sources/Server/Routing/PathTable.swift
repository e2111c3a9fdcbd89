// Which handler mappings a path may mean, found without asking each mapping.
// SPDX-License-Identifier: Apache-2.0

import Configuration

/// The path patterns of a site's mappings.
///
/// A lookup gives the mappings whose pattern fits, in the order of the configuration; whether a script
/// exists, and so which of them answers, the caller finds out.
///
///     var candidates = PathTable.Candidates()
///     while let mapping = table.next(&candidates, for: path.span) { … }
///
/// A few patterns are tried one by one. Of many, however many there are, a path's beginnings are looked up
/// where a prefix may end, and the ends of its segments where a suffix may begin; once, and again after
/// each sixteen candidates.
struct PathTable: Sendable {
    enum Pattern: Equatable, Sendable {
        /// That path and all below it: "/a/b". Empty: everything.
        case prefix([UInt8])
        /// A segment that ends with it and does not consist of it alone: ".php".
        case suffix([UInt8])

        init(_ pattern: Settings.Mapping.Pattern) {
            switch pattern {
            case .prefix(let text):
                var bytes = Array(text.utf8)
                while bytes.last == UInt8(ascii: "/") { bytes.removeLast() }
                self = .prefix(bytes)
            case .suffix(let text): self = .suffix(Array(text.utf8))
            }
        }

        /// Empty for a suffix.
        var prefix: [UInt8] {
            switch self {
            case .prefix(let bytes): bytes
            case .suffix: []
            }
        }
    }

    /// How far one lookup has got. The same path belongs to all its calls.
    struct Candidates {
        /// The next few mappings, lowest first, without those that were given out.
        fileprivate var found = InlineArray<16, Int32>(repeating: 0)
        fileprivate var count = 0
        fileprivate var given = 0
        fileprivate var last: Int32 = -1
        /// Mappings after `last` that did not fit into `found`, or none was looked for yet.
        fileprivate var areMore = true

        init() {}
    }

    /// All patterns where there are few, else none.
    private let few: PatternList?
    private let prefixes: ByteTable
    private let suffixes: ByteTable
    /// A bit for each byte that a suffix ends with: most segments need no further look.
    private var lastBytes = InlineArray<4, UInt64>(repeating: 0)

    /// Each pattern's number is its place. A pattern that stands twice counts at its first place:
    /// Configuration refuses the second. `few`: up to so many are tried one by one.
    init(_ patterns: [Pattern], few: Int = 8) {
        var prefixes: [(text: [UInt8], number: Int)] = []
        var suffixes: [(text: [UInt8], number: Int)] = []
        for (number, pattern) in patterns.enumerated() {
            switch pattern {
            case .prefix(let text):
                precondition(
                    text.isEmpty || (text.first == slash && text.last != slash),
                    "a path's beginning has a slash before each segment")
                prefixes.append((text, number))
            case .suffix(let text):
                precondition(
                    !text.isEmpty && !text.contains(slash), "a suffix is part of one segment")
                suffixes.append((text, number))
                let last = Int(text[text.count - 1])
                lastBytes[last >> 6] |= 1 << UInt64(last & 63)
            }
        }
        self.few = patterns.count <= few ? PatternList(patterns) : nil
        self.prefixes = ByteTable(prefixes)
        self.suffixes = ByteTable(suffixes)
    }

    /// The next mapping that the decoded path may mean; nil when there is none.
    func next(_ candidates: inout Candidates, for path: Span<UInt8>) -> Int? {
        // A path begins with a slash; the only other target, "*", is below nothing.
        guard path.count > 0, path[0] == slash else { return nil }
        if let few {
            let number = few.first(from: Int(candidates.last) + 1, for: path)
            if let number { candidates.last = Int32(truncatingIfNeeded: number) }
            return number
        }
        if candidates.given == candidates.count {
            guard candidates.areMore else { return nil }
            candidates.beginAgain()
            findPrefixes(path, &candidates)
            if !suffixes.isEmpty { findSuffixes(path, &candidates) }
            if candidates.count == 0 { return nil }
        }
        return candidates.give()
    }

    private func findPrefixes(_ path: Span<UInt8>, _ candidates: inout Candidates) {
        let lengths = prefixes.lengths.span
        for index in lengths.indices {
            let end = lengths[index]
            guard end <= path.count else { return }
            guard end == path.count || path[end] == slash else { continue }
            if let number = prefixes.number(of: path, 0..<end) { candidates.insert(number) }
        }
    }

    @inline(__always)
    private func isLast(_ byte: UInt8) -> Bool {
        lastBytes[Int(byte >> 6)] >> UInt64(byte & 63) & 1 != 0
    }

    private func findSuffixes(_ path: Span<UInt8>, _ candidates: inout Candidates) {
        var start = 1
        while start < path.count {
            var end = start
            while end < path.count, path[unchecked: end] != slash { end &+= 1 }
            if end > start, isLast(path[end - 1]) { findSuffixes(path, start..<end, &candidates) }
            start = end + 1
        }
    }

    private func findSuffixes(
        _ path: Span<UInt8>, _ segment: Range<Int>, _ candidates: inout Candidates
    ) {
        let lengths = suffixes.lengths.span
        for index in lengths.indices {
            // A segment is longer than its suffix.
            let length = lengths[index]
            guard length < segment.count else { return }
            let suffix = segment.upperBound - length..<segment.upperBound
            if let number = suffixes.number(of: path, suffix) { candidates.insert(number) }
        }
    }
}

extension PathTable.Candidates {
    fileprivate mutating func beginAgain() {
        count = 0
        given = 0
        areMore = false
    }

    fileprivate mutating func give() -> Int {
        last = found[given]
        given += 1
        return Int(last)
    }

    /// Keeps it in order with the others; the highest gives way when there is no room.
    fileprivate mutating func insert(_ number: Int) {
        let number = Int32(truncatingIfNeeded: number)
        guard number > last else { return }
        if count == 0 {
            found[0] = number
            count = 1
            return
        }
        var place = count
        while place > 0, found[place - 1] >= number {
            if found[place - 1] == number { return }
            place -= 1
        }
        if count == found.count { areMore = true } else { count += 1 }
        guard place < found.count else { return }
        var index = count - 1
        while index > place {
            found[index] = found[index - 1]
            index -= 1
        }
        found[place] = number
    }
}

private let slash = UInt8(ascii: "/")
