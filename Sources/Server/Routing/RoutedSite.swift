// A site of the configuration with its handlers ready to answer.
// SPDX-License-Identifier: Apache-2.0

import Configuration
import Exchange
import Handlers

/// A site and its mappings, in the order they are tried.
final class RoutedSite: Sendable {
    let served: ServedSite
    let rules: RuleChain?
    let mappings: [RoutedMapping]
    /// What no mapping claims is a file.
    let files: RoutedMapping
    private let hosts: [HostPattern]

    init(
        _ site: Settings.Site, served: ServedSite, rules: RuleChain?, mappings: [RoutedMapping],
        files: RoutedMapping
    ) {
        self.served = served
        self.rules = rules
        self.mappings = mappings
        self.files = files
        hosts = site.hosts.map(HostPattern.init)
    }

    /// The first mapping that answers the request; fills in the route.
    func mapping(for exchange: Exchange) -> Unmanaged<RoutedMapping> {
        for mapping in mappings where mapping.matches(exchange, served) {
            return .passUnretained(mapping)
        }
        return .passUnretained(files)
    }

    /// Whether the request's host is one of this site's.
    func answers(to request: Request) -> Bool {
        hosts.isEmpty || hosts.contains { $0.matches(request) }
    }
}

/// "example.test" or "*.example.test".
struct HostPattern: Sendable {
    private let isWildcard: Bool
    /// Lower case; of a wildcard what follows the star: ".example.test".
    private let text: [UInt8]

    init(_ pattern: String) {
        isWildcard = pattern.hasPrefix("*.")
        text = Array(isWildcard ? pattern.utf8.dropFirst() : pattern.utf8[...])
    }

    func matches(_ request: Request) -> Bool {
        let host = request.host.range
        guard isWildcard ? host.count > text.count : host.count == text.count else { return false }
        let start = host.upperBound - text.count
        for index in text.indices
        where lowercased(request.bytes[start + index]) != text[index] { return false }
        return true
    }
}
