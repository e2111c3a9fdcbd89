// One line of a site's handlers, ready to answer.
// SPDX-License-Identifier: Apache-2.0

import Configuration
import Exchange
import Handlers

/// A mapping of the configuration: which paths, and who answers them.
final class RoutedMapping: Sendable {
    /// How the part of the path that the pattern does not name is understood.
    enum Kind: Sendable {
        case files
        /// The path leads to a file below the pattern, and the rest is path info.
        case scripts
        /// The pattern is the script's name and the rest path info.
        case program
    }

    let pattern: PathTable.Pattern
    let handler: any Handler
    let kind: Kind
    let served: ServedMapping
    /// The handler waits for another process: a thread that runs it is soon blocked.
    let waitsForOthers: Bool
    /// The handler is called before the whole body of a request is there.
    let preloadsBody: Bool

    init(
        _ pattern: Settings.Mapping.Pattern, _ handler: any Handler, kind: Kind,
        served: ServedMapping, waitsForOthers: Bool = false, preloadsBody: Bool = false
    ) {
        self.pattern = PathTable.Pattern(pattern)
        self.handler = handler
        self.kind = kind
        self.served = served
        self.waitsForOthers = waitsForOthers
        self.preloadsBody = preloadsBody
    }

    /// Whether this mapping, whose pattern fits the path, answers; fills the route's path info, and
    /// what the path led to among files.
    func matches(_ exchange: Exchange, _ path: [UInt8], _ site: ServedSite) -> Bool {
        switch pattern {
        case .suffix(let suffix):
            FileResolver.resolve(path.span, suffix: suffix, site: site, into: &exchange.route)
        case .prefix(let prefix): fill(&exchange.route, path, prefix, site)
        }
    }

    private func fill(
        _ route: inout Route, _ path: [UInt8], _ prefix: [UInt8], _ site: ServedSite
    ) -> Bool {
        switch kind {
        case .files: return true
        case .scripts:
            // A script that does not exist is nobody else's: the files handler answers 404.
            return FileResolver.resolve(path.span, below: prefix, site: site, into: &route)
        case .program:
            if path.count > prefix.count {
                route.pathInfo.append(path.span.extracting(prefix.count...))
            }
            return true
        }
    }
}
