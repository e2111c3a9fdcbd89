// The rules of a site, in their order.
// SPDX-License-Identifier: Apache-2.0

/// The rules of a site, in order.
///
/// A chain of constants that are never freed: going along it counts no reference.
package final class RuleChain: Sendable {
    private let rule: any Rule
    /// Kept for life, like the site.
    private let next: Unmanaged<RuleChain>?

    /// Nil without rules.
    package convenience init?(_ rules: [any Rule]) { self.init(rules[...]) }

    private init?(_ rules: ArraySlice<any Rule>) {
        guard let first = rules.first else { return nil }
        rule = first
        next = RuleChain(rules.dropFirst()).map { .passRetained($0) }
    }

    /// The first verdict that does not let the exchange pass.
    package func check(_ exchange: Exchange) -> Verdict {
        guard case .allow = rule.check(exchange) else { return .answered }
        guard let next else { return .allow }
        return next._withUnsafeGuaranteedRef { $0.check(exchange) }
    }
}
