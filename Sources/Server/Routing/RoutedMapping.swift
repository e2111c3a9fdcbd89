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
        /// The pattern is the script's name and the rest path info; the library that answers, if any.
        case program(scriptFilename: [UInt8])
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
        self.preloadsBody = preloadsBody
    }

    /// Whether this mapping, whose pattern fits the path, answers; fills the route's script name, path info
    /// and file.
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
        case .program(let scriptFilename):
            append(prefix, from: 0, to: &route.scriptName)
            append(path, from: prefix.count, to: &route.pathInfo)
            if scriptFilename.isEmpty {
                append(site.documentRoot, from: 0, to: &route.scriptFilename)
                append(prefix, from: 0, to: &route.scriptFilename)
            } else {
                append(scriptFilename, from: 0, to: &route.scriptFilename)
            }
            return true
        }
    }

    private func append(_ bytes: [UInt8], from start: Int, to buffer: inout [UInt8]) {
        guard start < bytes.count else { return }
        bytes.withUnsafeBufferPointer {
            buffer.append(contentsOf: UnsafeBufferPointer(rebasing: $0[start...]))
        }
    }
}
