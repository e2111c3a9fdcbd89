// A site of the configuration with its handlers ready to answer.
// SPDX-License-Identifier: Apache-2.0

import Configuration
import Exchange
import Handlers
import Synchronization

/// A site and its mappings, in the order they are tried.
final class RoutedSite: Sendable {
    let served: ServedSite
    let rules: FileRules
    let mappings: [RoutedMapping]
    /// What no mapping claims is a file.
    let files: RoutedMapping
    private let hosts: [HostPattern]

    init(_ site: Settings.Site, served: ServedSite, mappings: [RoutedMapping]) {
        self.served = served
        self.mappings = mappings
        files = RoutedMapping(.prefix("/"), .files, name: "files")
        rules = FileRules(site)
        hosts = site.hosts.map(HostPattern.init)
    }

    /// The first mapping that answers the request; fills in the route.
    func mapping(for exchange: Exchange) -> RoutedMapping {
        for mapping in mappings where mapping.matches(exchange, served) { return mapping }
        return files
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

/// One line of `handlers:`, ready to answer.
final class RoutedMapping: Sendable {
    enum Handler: Sendable {
        case files
        case `extension`(ExtensionHandler)
        case pool(FastCGIHandler)
        case cgi(CGIHandler)
        case redirect(status: Int, location: [UInt8])
        /// What it needs is missing or broken; the first request that needs it is a line in the log.
        case unavailable(reason: String, isLogged: Latch)

    }

    enum Pattern: Sendable {
        /// Without a slash at its end; empty = everything.
        case prefix([UInt8])
        case suffix([UInt8])
    }

    let pattern: Pattern
    let handler: Handler
    let served: ServedMapping
    /// The extension's library; empty when the script is a file of the site.
    let scriptFilename: [UInt8]

    init(
        _ pattern: Settings.Mapping.Pattern, _ handler: Handler,
        scriptFilename: String = "", name: String
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
        self.scriptFilename = Array(scriptFilename.utf8)
        switch handler {
        case .extension(let extended):
            served = ServedMapping(name: name, settings: extended.settings)
        case .pool(let pooled):
            served = ServedMapping(
                name: name, poolName: pooled.pool.name, settings: pooled.settings)
        case .files, .cgi, .redirect, .unavailable:
            served = ServedMapping(name: name)
        }
    }

    /// Whether a body is received for the handler. A folder's index may turn out to be a script's.
    func takesBody(of exchange: Exchange) -> Bool {
        switch handler {
        case .extension, .pool, .cgi: true
        case .files: exchange.request.path.last == UInt8(ascii: "/")
        case .redirect, .unavailable: false
        }
    }

    /// Whether this mapping answers; fills the route's script name, path info and file.
    func matches(_ exchange: Exchange, _ site: ServedSite) -> Bool {
        switch pattern {
        case .suffix(let suffix):
            let path = exchange.request.path
            return FileResolver.resolve(
                path.span, suffix: suffix, site: site, into: &exchange.route)
        case .prefix(let prefix):
            guard isBelow(exchange.request.path, prefix) else { return false }
            return take(exchange, prefix, site)
        }
    }

    private func isBelow(_ path: [UInt8], _ prefix: [UInt8]) -> Bool {
        guard path.count >= prefix.count else { return false }
        for index in prefix.indices where path[index] != prefix[index] { return false }
        return path.count == prefix.count || path[prefix.count] == UInt8(ascii: "/")
    }

    private func take(_ exchange: Exchange, _ prefix: [UInt8], _ site: ServedSite) -> Bool {
        switch handler {
        case .cgi:
            // A script that does not exist is nobody else's: the files handler answers 404.
            let path = exchange.request.path
            return FileResolver.resolve(
                path.span, below: prefix, site: site, into: &exchange.route)
        case .files:
            return true
        case .extension, .pool, .redirect, .unavailable:
            let path = exchange.request.path
            prefix.withUnsafeBufferPointer { exchange.route.scriptName.append(contentsOf: $0) }
            path.withUnsafeBufferPointer {
                exchange.route.pathInfo.append(
                    contentsOf: UnsafeBufferPointer(rebasing: $0[prefix.count...]))
            }
            if !scriptFilename.isEmpty {
                scriptFilename.withUnsafeBufferPointer {
                    exchange.route.scriptFilename.append(contentsOf: $0)
                }
            } else {
                exchange.route.scriptFilename.append(contentsOf: site.documentRoot)
                exchange.route.scriptFilename.append(contentsOf: prefix)
            }
            return true
        }
    }
}

/// Something that happens once.
final class Latch: Sendable {
    private let isSet = Atomic<Bool>(false)

    /// True the first time.
    func isFirst() -> Bool { !isSet.exchange(true, ordering: .relaxed) }
}
