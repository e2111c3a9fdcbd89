// The mappings that a path may mean, as if all patterns were tried in their order.
// SPDX-License-Identifier: Apache-2.0

import Testing
import TestSupport

@testable import Server

@Suite struct PathTableTests {
    private func candidates(_ path: [UInt8], _ table: PathTable) -> [Int] {
        var candidates = PathTable.Candidates()
        var found: [Int] = []
        while let number = table.next(&candidates, for: path.span) { found.append(number) }
        #expect(table.next(&candidates, for: path.span) == nil, "the end is the end")
        return found
    }

    private func candidates(_ path: String, _ patterns: [PathTable.Pattern]) -> [Int] {
        let one = candidates(Array(path.utf8), PathTable(patterns, few: 0))
        #expect(candidates(Array(path.utf8), PathTable(patterns, few: .max)) == one)
        return one
    }

    private func prefix(_ text: String) -> PathTable.Pattern { .prefix(Array(text.utf8)) }
    private func suffix(_ text: String) -> PathTable.Pattern { .suffix(Array(text.utf8)) }

    @Test(arguments: [
        ("/a", [1, 3]), ("/a/", [1, 3]), ("/a/b", [0, 1, 3]), ("/a/b/c", [0, 1, 3]),
        ("/ab", [3]), ("/A", [3]), ("/", [3]), ("/a/bc", [1, 3]), ("/x", [2, 3]), ("*", []),
        ("", []),
    ])
    func aPrefixIsThatPathAndAllBelowIt(path: String, expected: [Int]) {
        let patterns = [prefix("/a/b"), prefix("/a"), prefix("/x"), prefix("")]
        #expect(candidates(path, patterns) == expected)
    }

    @Test(arguments: [
        ("/x.php", [0]), ("/x.php/more", [0]), ("/a/x.php", [0]), ("/x.php7", []), ("/.php", []),
        ("/x.php/y.cgi", [0, 1]), ("/y.cgi/x.php", [0, 1]), ("/x.PHP", []), ("/xphp", []),
        ("/x.tar.gz", [2]), ("/tar.gz", []), ("/a/.tar.gz", []), ("/x.php/", [0]), ("/", []),
        ("/x.php/.php", [0]),
    ])
    func aSuffixEndsASegmentThatIsLonger(path: String, expected: [Int]) {
        let patterns = [suffix(".php"), suffix(".cgi"), suffix(".tar.gz")]
        #expect(candidates(path, patterns) == expected)
    }

    @Test func prefixesAndSuffixesComeInTheirOrder() {
        let patterns = [
            suffix(".b"), prefix("/x/y"), suffix(".a"), prefix("/x"), prefix("/z"), prefix(""),
        ]
        #expect(candidates("/x/y/q.a/q.b", patterns) == [0, 1, 2, 3, 5])
        #expect(candidates("/q.a/x/y", patterns) == [2, 5])
    }

    @Test func moreCandidatesThanAreKeptAtOnceStillComeAllOfThem() {
        let deep = (0..<100).map { prefix(String(repeating: "/a", count: 100 - $0)) }
        #expect(candidates(String(repeating: "/a", count: 200), deep) == Array(0..<100))
        #expect(candidates(String(repeating: "/a", count: 40), deep) == Array(60..<100))
    }

    @Test func anyTableFindsWhatTryingEachPatternFinds() throws {
        var random = SeededNumbers(seed: 7)
        for _ in 0..<400 {
            var patterns: [PathTable.Pattern] = []
            for _ in 0..<1 + random.below(40) {
                let pattern = Self.pattern(&random)
                if !patterns.contains(pattern) { patterns.append(pattern) }
            }
            let tables = [
                PathTable(patterns, few: 0), PathTable(patterns), PathTable(patterns, few: .max),
            ]
            for _ in 0..<30 {
                let path = Self.path(&random)
                let expected = patterns.indices.filter { Self.fits(patterns[$0], path) }
                for table in tables {
                    try #require(
                        candidates(path, table) == expected,
                        "\(String(decoding: path, as: UTF8.self)) in \(patterns)")
                }
            }
        }
    }

    /// All in the same slots and lengths as far as a client can bring that about: what its path is made of
    /// are the patterns themselves.
    @Test func theLongestPathsOfHostileShapeAreAnsweredRight() {
        var patterns = (1...500).map { prefix(String(repeating: "/a", count: $0)) }
        patterns += (1...500).map { suffix(String(repeating: ".", count: $0) + "x") }
        let table = PathTable(patterns)
        let slashes = Array(String(repeating: "/a", count: 8192).utf8)
        #expect(candidates(slashes, table) == Array(0..<500))
        let dots = Array("/a\(String(repeating: ".", count: 16_000))x".utf8)
        #expect(candidates(dots, table) == Array(500..<1000))
        let endings = Array(
            (1...160).map { "/b" + String(repeating: ".", count: $0) + "x" }.joined().utf8)
        #expect(candidates(endings, table) == Array(500..<660))
    }

    private static func fits(_ pattern: PathTable.Pattern, _ path: [UInt8]) -> Bool {
        let slash = UInt8(ascii: "/")
        guard path.first == slash else { return false }
        switch pattern {
        case .prefix(let text):
            return path.starts(with: text)
                && (path.count == text.count || path[text.count] == slash)
        case .suffix(let text):
            return path.split(separator: slash).contains { segment in
                segment.count > text.count && segment.suffix(text.count).elementsEqual(text)
            }
        }
    }

    private static let words = ["a", "b", "ab", ".x", "a.x", "b.x.y", "index.php", ".y"]

    private static func pattern(_ random: inout SeededNumbers) -> PathTable.Pattern {
        if random.below(3) == 0 {
            let suffixes = [".x", ".y", ".x.y", ".php", "x", "y", ".p", "hp", "ab"]
            return .suffix(Array(suffixes[random.below(suffixes.count)].utf8))
        }
        return .prefix(Array((0..<random.below(4)).map { _ in "/\(word(&random))" }.joined().utf8))
    }

    private static func path(_ random: inout SeededNumbers) -> [UInt8] {
        let segments = (0..<random.below(6)).map { _ in "/\(word(&random))" }.joined()
        return Array((segments + (random.below(4) == 0 || segments.isEmpty ? "/" : "")).utf8)
    }

    private static func word(_ random: inout SeededNumbers) -> String {
        words[random.below(words.count)]
    }
}
