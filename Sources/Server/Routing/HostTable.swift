// Which site a request's host means, found without asking each site.
// SPDX-License-Identifier: Apache-2.0

import Exchange

/// The host names of all sites. The first site that answers for a host is its own, whether it names the
/// host ("example.test"), all below one ("*.example.test") or any (no name at all). An unknown host gets
/// site 0.
///
///     let hosts = HostTable([["example.test"], ["*.example.test"], []])
///     hosts.site(for: bytes, range)   // "www.Example.test": 1
struct HostTable: Sendable {
    private let exact: ByteTable
    /// By what follows the star: ".example.test".
    private let wildcards: ByteTable
    /// The first site without host names; `Int.max` when all have some.
    private let unnamed: Int
    private let hasOneSite: Bool

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
        unnamed = sites.firstIndex { $0.isEmpty } ?? .max
        hasOneSite = sites.count <= 1
    }

    /// The site for the host in that range of a request's bytes, without its port; 0 for none.
    func site(for bytes: Span<UInt8>, _ host: Range<Int>) -> Int {
        if hasOneSite || host.isEmpty { return 0 }
        var first = unnamed
        if let site = exact.numberIgnoringCase(of: bytes, host) { first = min(first, site) }
        let lengths = wildcards.lengths.span
        for index in lengths.indices {
            // A star stands for something: ".example.test" itself is not below "example.test".
            let length = lengths[index]
            guard length < host.count else { break }
            let start = host.upperBound - length
            guard bytes[start] == UInt8(ascii: ".") else { continue }
            if let site = wildcards.numberIgnoringCase(of: bytes, start..<host.upperBound) {
                first = min(first, site)
            }
        }
        return first == .max ? 0 : first
    }
}
