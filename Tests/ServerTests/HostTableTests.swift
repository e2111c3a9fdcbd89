// The site of a host, as if all sites were asked in their order.
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
        ("a.test", 1, 1), ("A.Test", 1, 1), ("b.a.test", 2, 2), ("c.B.a.test", 2, 2),
        ("b.test", 0, 3), (".a.test", 0, 3), ("ba.test", 0, 3), (".", 0, 3), ("[::1]", 4, 3),
        ("www.b.test", 5, 3), ("ww.b.test", 0, 3), ("", 0, 0),
    ])
    func aHostIsMatchedWholeOrBelowAWildcard(host: String, expected: Int, beforeAny: Int) {
        var sites = [["0"], ["a.test"], ["*.a.test"], ["3"], ["[::1]"], ["www.b.test"]]
        #expect(site(host, sites) == expected)
        // What stands after a site for any host is never asked.
        sites[3] = []
        #expect(site(host, sites) == beforeAny)
    }

    @Test func theFirstSiteAnswersAmongNamesAndWildcards() {
        let sites = [["first.test"], ["*.b.test"], ["a.b.test", "*.a.b.test"], ["*.test"]]
        #expect(site("a.b.test", sites) == 1)
        #expect(site("x.a.b.test", sites) == 1)
        #expect(site("a.b.test", sites.reversed()) == 0)
        #expect(site("x.test", sites) == 3)
        #expect(site("other.example", sites) == 0)
    }

    @Test func aSingleSiteAnswersForAnyHost() {
        #expect(site("x", [["a.test"]]) == 0)
        #expect(site("x", [[]]) == 0)
    }

    @Test func anyTableFindsWhatAskingEachSiteFinds() throws {
        var random = SeededNumbers(seed: 5)
        for _ in 0..<300 {
            let sites = (0..<1 + random.below(12)).map { _ in
                (0..<random.below(4)).map { _ in Self.pattern(&random) }
            }
            for _ in 0..<40 {
                let host = Self.host(&random)
                try #require(site(host, sites) == Self.asked(host, sites), "\(host) in \(sites)")
            }
        }
    }

    @Test func aHostOfManyDotsIsLookedUpLikeAnyOther() {
        let sites = [["first.test"]] + (1..<200).map { ["*" + String(repeating: ".a", count: $0)] }
        #expect(site(String(repeating: "a.", count: 30_000) + "a", sites) == 1)
        #expect(site(String(repeating: ".", count: 60_000), sites) == 0)
    }

    private static func asked(_ host: String, _ sites: [[String]]) -> Int {
        if host.isEmpty { return 0 }
        return sites.firstIndex { patterns in
            patterns.isEmpty
                || patterns.contains { pattern in
                    guard pattern.hasPrefix("*.") else { return host.lowercased() == pattern }
                    let ending = String(pattern.dropFirst())
                    return host.utf8.count > ending.utf8.count
                        && host.lowercased().hasSuffix(ending)
                }
        } ?? 0
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
