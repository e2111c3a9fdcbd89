// A site of the configuration with its handlers ready to answer.
// SPDX-License-Identifier: Apache-2.0

import Configuration
import Exchange
import Handlers

/// A site and its mappings, in the order they are tried.
final class RoutedSite: Sendable {
    let served: ServedSite
    /// Kept for life.
    private let rules: Unmanaged<RuleChain>?
    /// What no mapping claims is a file.
    let files: RoutedMapping
    private let mappings: Immortals<RoutedMapping>
    private let paths: PathTable

    init(
        served: ServedSite, rules: RuleChain?, mappings: [RoutedMapping], files: RoutedMapping
    ) {
        self.served = served
        self.rules = rules.map { .passRetained($0) }
        self.mappings = Immortals(mappings)
        self.files = files
        paths = PathTable(mappings.map(\.pattern))
    }

    /// Whether a rule has answered the exchange.
    func isAnsweredByRule(_ exchange: Exchange) -> Bool {
        guard let rules else { return false }
        return rules._withUnsafeGuaranteedRef {
            if case .answered = $0.check(exchange) { true } else { false }
        }
    }

    /// The mapping with that index in the configuration.
    func mapping(_ index: Int) -> Unmanaged<RoutedMapping> { mappings[index] }

    /// The first mapping that answers the request; fills in the route.
    func mapping(for exchange: Exchange) -> Unmanaged<RoutedMapping> {
        var candidates = PathTable.Candidates()
        let path = exchange.request.path
        while let index = paths.next(&candidates, for: path.span) {
            let mapping = mappings[index]
            if mapping._withUnsafeGuaranteedRef({ $0.matches(exchange, path, served) }) {
                return mapping
            }
        }
        return .passUnretained(files)
    }
}
