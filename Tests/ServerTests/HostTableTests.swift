// The site of a host: an exact name, else the longest wildcard, else the site without names.
// SPDX-License-Identifier: Apache-2.0

import Testing
import TestSupport

@testable import Server

@Suite struct HostTableTests {
    private func site(_ host: String, _ sites: [[String]]) -> Int {
        let bytes = Array("GET / HTTP/1.1\r\nHost: \(host):80\r\n".utf8)
        return HostTable(sites).site(for: bytes.span, 22..<22 + host.utf8.count)
    }

    @Test(arguments: [
        ("a.test", 1), ("A.Test", 1), ("b.a.test", 2), ("c.B.a.test", 2), ("b.test", 0),
        (".a.test", 0), ("ba.test", 0), (".", 0), ("[::1]", 4), ("www.b.test", 5),
        ("ww.b.test", 0), ("", 0),
    ])
    func aHostIsMatchedWholeOrBelowAWildcard(host: String, expected: Int) {
        var sites = [["0"], ["a.test"], ["*.a.test"], ["3"], ["[::1]"], ["www.b.test"]]
        #expect(site(host, sites) == expected)
        // A site without names gets what nobody names, and only that.
        sites[3] = []
        #expect(site(host, sites) == (expected == 0 ? 3 : expected))
    }

    @Test func aSiteWithoutNamesInFrontHidesNoOther() {
        let sites = [[], ["a.test"], ["*.b.test"]]
        #expect(site("a.test", sites) == 1)
        #expect(site("a.b.test", sites) == 2)
        #expect(site("other.example", sites) == 0)
    }

    @Test func anExactNameGoesBeforeTheLongestWildcardBeforeTheOthersInAnyOrder() {
        let sites = [["first.test"], ["*.test"], ["*.b.test"], ["a.b.test", "*.a.b.test"]]
        let last = sites.count - 1
        for (host, expected) in [
            ("a.b.test", 3), ("x.a.b.test", 3), ("x.b.test", 2), ("x.test", 1), ("b.test", 1),
        ] {
            #expect(site(host, sites) == expected)
            #expect(site(host, sites.reversed()) == last - expected)
        }
        #expect(site("other.example", sites) == 0)
        #expect(site("other.example", sites.reversed()) == 0)
    }

    @Test func aSingleSiteAnswersForAnyHost() {
        #expect(site("x", [["a.test"]]) == 0)
        #expect(site("x", [[]]) == 0)
    }

    @Test func anyTableFindsWhatComparingEveryNameFinds() throws {
        var random = SeededNumbers(seed: 5)
        for _ in 0..<300 {
            let sites = (0..<1 + random.below(12)).map { _ in
                (0..<random.below(4)).map { _ in Self.pattern(&random) }
            }
            for _ in 0..<40 {
                let host = Self.host(&random)
                try #require(site(host, sites) == Self.compared(host, sites), "\(host) in \(sites)")
            }
        }
    }

    @Test func aHostOfManyDotsIsLookedUpLikeAnyOther() {
        let sites = [["first.test"]] + (1..<200).map { ["*" + String(repeating: ".a", count: $0)] }
        #expect(site(String(repeating: "a.", count: 30_000) + "a", sites) == 199)
        #expect(site(String(repeating: ".", count: 60_000), sites) == 0)
    }

    private static func compared(_ host: String, _ sites: [[String]]) -> Int {
        let host = host.lowercased()
        if let exact = sites.firstIndex(where: { $0.contains(host) }) { return exact }
        var found: (site: Int, length: Int)?
        for (site, patterns) in sites.enumerated() {
            for pattern in patterns where pattern.hasPrefix("*.") {
                let ending = pattern.dropFirst()
                let length = ending.utf8.count
                guard host.utf8.count > length, host.hasSuffix(ending) else { continue }
                if length > found?.length ?? 0 { found = (site, length) }
            }
        }
        return found?.site ?? sites.firstIndex { $0.isEmpty } ?? 0
    }

    private static func pattern(_ random: inout SeededNumbers) -> String {
        let labels = (0..<1 + random.below(3)).map { _ in ["a", "b", "test"][random.below(3)] }
        return (random.below(2) == 0 ? "*." : "") + labels.joined(separator: ".")
    }

    private static func host(_ random: inout SeededNumbers) -> String {
        let labels = (0..<random.below(5)).map { _ in ["a", "B", "Test", "", "b"][random.below(5)] }
        return labels.joined(separator: ".")
    }
}
