// Which site a request's host means, found without asking each site.
// SPDX-License-Identifier: Apache-2.0

import Exchange

/// The host names of all sites. An exact name ("example.test") goes before all wildcards, and the longest
/// wildcard ("*.example.test") before the others, wherever their sites stand. What nobody names belongs to
/// the site without host names, or to site 0 when all have some; so does a request without a host.
///
///     let hosts = HostTable([["example.test"], ["*.example.test"], []])
///     hosts.site(for: bytes, range)   // "www.Example.test": 1
struct HostTable: Sendable {
    private let exact: ByteTable
    /// By what follows the star: ".example.test".
    private let wildcards: ByteTable
    /// The site that answers for a host that nobody names.
    private let fallback: Int

    /// The patterns of each site, in the order of the sites.
    init(_ sites: [[String]]) {
        var exact: [(text: [UInt8], number: Int)] = []
        var wildcards: [(text: [UInt8], number: Int)] = []
        for (site, patterns) in sites.enumerated() {
            for pattern in patterns {
                let text = pattern.utf8.map(lowercased)
                if pattern.hasPrefix("*.") {
                    wildcards.append((Array(text.dropFirst()), site))
                } else {
                    exact.append((text, site))
                }
            }
        }
        self.exact = ByteTable(exact)
        self.wildcards = ByteTable(wildcards)
        fallback = sites.firstIndex { $0.isEmpty } ?? 0
    }

    /// The site for the host in that range of a request's bytes, without its port.
    func site(for bytes: Span<UInt8>, _ host: Range<Int>) -> Int {
        if let site = exact.numberIgnoringCase(of: bytes, host) { return site }
        let lengths = wildcards.lengths.span
        for index in lengths.indices.reversed() {
            // A star stands for something: ".example.test" itself is not below "example.test".
            let length = lengths[index]
            guard length < host.count else { continue }
            let start = host.upperBound - length
            guard bytes[start] == UInt8(ascii: ".") else { continue }
            if let site = wildcards.numberIgnoringCase(of: bytes, start..<host.upperBound) {
                return site
            }
        }
        return fallback
    }
}
