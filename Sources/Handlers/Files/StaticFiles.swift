// Files of a site as they are: which one, and whether this client may have it.
// SPDX-License-Identifier: Apache-2.0

import Exchange
import Platform

/// Answers GET and HEAD with a file below the site's root.
package enum StaticFiles {
    package enum Result: Sendable {
        /// The exchange has its response.
        case answered
        /// The folder's index file belongs to that mapping (index into `Settings.Site.handlers`): call
        /// its handler. The route has script name, path info and script file name.
        case script(mapping: Int)
    }

    /// Answers the exchange, whose route has its site; `path` is decoded and free of dot segments.
    ///
    /// A folder is answered by its index file; without a slash at its end by a redirect. Nothing is
    /// listed, and nothing that `rules` refuse is told apart from what does not exist.
    package static func answer(_ exchange: Exchange, rules: FileRules) -> Result {
        guard let site = exchange.route.site, site.rootDescriptor >= 0 else {
            return refuse(exchange, 404)
        }
        let path = exchange.request.path
        guard path.first == slash, rules.allows(path.span) else { return refuse(exchange, 404) }
        if path.last == slash { return answerFolder(exchange, path, site, rules) }
        switch Files.find(path.span, Span<UInt8>(), beneath: site.rootDescriptor) {
        case .file(let file, let status):
            return send(exchange, file, status, MediaType.of(path: path.span))
        case .folder: return redirectToFolder(exchange, path)
        case .special: return refuse(exchange, 404)
        case .failed(let code): return refuse(exchange, FileFailure(code))
        }
    }

    private static func answerFolder(
        _ exchange: Exchange, _ path: [UInt8], _ site: ServedSite, _ rules: FileRules
    ) -> Result {
        for name in rules.index {
            switch Files.find(path.span, name.span, beneath: site.rootDescriptor) {
            case .file(let file, let status):
                let whole = path + name
                if let mapping = rules.mapping(of: whole.span) {
                    _ = FileResolver.take(whole.span, whole.count, site, into: &exchange.route)
                    return .script(mapping: mapping)
                }
                guard rules.allows(whole.span) else { continue }
                return send(exchange, file, status, MediaType.of(path: name.span))
            case .folder: continue
            case .special: continue
            case .failed(let code):
                if case .missing = FileFailure(code) { continue }
                return refuse(exchange, FileFailure(code))
            }
        }
        switch Files.find(path.span, Span<UInt8>(), beneath: site.rootDescriptor) {
        case .folder: return refuse(exchange, 403)
        case .file: return refuse(exchange, 404)
        case .special: return refuse(exchange, 404)
        case .failed(let code): return refuse(exchange, FileFailure(code))
        }
    }

    /// "/folder?x" to "/folder/?x". The location is built from the decoded path, which has no empty
    /// segments: "//evil.test" in a request does not become a link to another server.
    private static func redirectToFolder(_ exchange: Exchange, _ path: [UInt8]) -> Result {
        var location: [UInt8] = []
        location.reserveCapacity(path.count * 3 + 1 + Int(exchange.request.query.count))
        for byte in path { appendEncoded(byte, to: &location) }
        location.append(slash)
        if exchange.request.hasQuery {
            location.append(UInt8(ascii: "?"))
            location.append(contentsOf: exchange.request.bytes[exchange.request.query.range])
        }
        exchange.redirect(status: 301, location: location.span)
        return .answered
    }

    /// Unreserved bytes, sub-delimiters, ":", "@" and "/" as they are (RFC 3986 §3.3).
    private static func appendEncoded(_ byte: UInt8, to location: inout [UInt8]) {
        if isAlphanumeric(byte) || isOne(byte, of: "-._~!$&'()*+,;=:@/") {
            return location.append(byte)
        }
        location.append(UInt8(ascii: "%"))
        for digit in [byte >> 4, byte & 15] {
            location.append(digit < 10 ? 0x30 + digit : 0x41 + digit - 10)
        }
    }

    private static func refuse(_ exchange: Exchange, _ failure: FileFailure) -> Result {
        switch failure {
        case .missing: return refuse(exchange, 404)
        case .forbidden: return refuse(exchange, 403)
        case .exhausted:
            exchange.fail(status: 503, reason: "no descriptor to open a file with", retryAfter: 1)
        case .broken: exchange.fail(status: 500, reason: "the file cannot be opened")
        }
        return .answered
    }

    static func refuse(
        _ exchange: Exchange, _ status: Int, allow: StaticString? = nil
    ) -> Result {
        exchange.refuse(status: status, allow: allow)
        return .answered
    }
}
