// One line of a site's handlers, ready to answer.
// SPDX-License-Identifier: Apache-2.0

import Configuration
import Exchange
import Handlers

/// A mapping of the configuration: which paths, and who answers them.
final class RoutedMapping: Sendable {
    enum Pattern: Sendable {
        /// Without a slash at its end; empty = everything.
        case prefix([UInt8])
        case suffix([UInt8])
    }

    /// How the part of the path that the pattern does not name is understood.
    enum Kind: Sendable {
        case files
        /// The path leads to a file below the pattern, and the rest is path info.
        case scripts
        /// The pattern is the script's name and the rest path info; the library that answers, if any.
        case program(scriptFilename: [UInt8])
    }

    let pattern: Pattern
    let handler: any Handler
    let kind: Kind
    let served: ServedMapping
    /// The handler waits for another process: a thread that runs it is soon blocked.
    let waitsForOthers: Bool

    init(
        _ pattern: Settings.Mapping.Pattern, _ handler: any Handler, kind: Kind,
        served: ServedMapping, waitsForOthers: Bool = false
    ) {
        switch pattern {
        case .prefix(let text):
            var bytes = Array(text.utf8)
            while bytes.last == UInt8(ascii: "/") { bytes.removeLast() }
            self.pattern = .prefix(bytes)
        case .suffix(let text):
            self.pattern = .suffix(Array(text.utf8))
        }
        self.handler = handler
        self.kind = kind
        self.served = served
        self.waitsForOthers = waitsForOthers
    }

    /// Whether this mapping answers; fills the route's script name, path info and file.
    func matches(_ exchange: Exchange, _ site: ServedSite) -> Bool {
        let path = exchange.request.path
        switch pattern {
        case .suffix(let suffix):
            return FileResolver.resolve(
                path.span, suffix: suffix, site: site, into: &exchange.route)
        case .prefix(let prefix):
            return isBelow(path.span, prefix) && fill(&exchange.route, path, prefix, site)
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
        case .program(let scriptFilename):
            append(prefix[...], to: &route.scriptName)
            append(path[prefix.count...], to: &route.pathInfo)
            if scriptFilename.isEmpty {
                append(site.documentRoot[...], to: &route.scriptFilename)
                append(prefix[...], to: &route.scriptFilename)
            } else {
                append(scriptFilename[...], to: &route.scriptFilename)
            }
            return true
        }
    }

    private func append(_ bytes: ArraySlice<UInt8>, to buffer: inout [UInt8]) {
        bytes.withUnsafeBufferPointer { buffer.append(contentsOf: $0) }
    }
}
