// Which files of a site are documents, which are somebody's program, and which are nobody's business.
// SPDX-License-Identifier: Apache-2.0

package import Configuration
import Exchange

/// What a site's configuration says about the names of its files.
package struct FileRules: Sendable {
    /// Names that are looked for in a folder, in order.
    package let index: [[UInt8]]
    /// Endings of file names that belong to another handler, in the order of the mappings.
    package let claims: [Claim]
    /// Paths, with everything below, that belong to a program ("/cgi-bin"), or as documents to nobody
    /// else ("/cgi-bin/pictures"), in the order of the mappings.
    private let prefixes: [Prefix]

    package struct Claim: Sendable {
        /// ".php"
        package let suffix: [UInt8]
        /// Index into `Settings.Site.handlers`.
        package let mapping: Int
    }

    private struct Prefix: Sendable {
        let path: [UInt8]
        let mapping: Int
        let isDocuments: Bool
    }

    package init(_ site: Settings.Site) {
        var claims: [Claim] = []
        var prefixes: [Prefix] = []
        for (number, mapping) in site.handlers.enumerated() {
            switch (mapping.pattern, mapping.target) {
            case (.suffix, .files): continue
            case (.suffix(let suffix), _):
                claims.append(Claim(suffix: Array(suffix.utf8), mapping: number))
            case (.prefix(let path), let target):
                let isDocuments = target == .files
                guard isDocuments || Self.isProgram(target) else { continue }
                prefixes.append(
                    Prefix(path: Self.folder(path), mapping: number, isDocuments: isDocuments))
            }
        }
        index = site.index.map { Array($0.utf8) }
        self.claims = claims
        self.prefixes = prefixes
    }

    /// Whether the handler's program is a file of the site, so that its source could be asked for.
    private static func isProgram(_ target: Settings.Mapping.Target) -> Bool {
        switch target {
        case .cgi, .pool: true
        case .extension, .files, .redirect: false
        }
    }

    /// The mapping that the file at `path` belongs to; nil = it is a document.
    ///
    /// As in the router the first mapping wins: documents in a folder that is mapped to files before
    /// "*.php" are documents, and what looks like a program there is never run (`allows` refuses it).
    package func mapping(of path: Span<UInt8>) -> Int? {
        let prefix = firstPrefix(of: path)
        for claim in claims where hasSuffix(path, claim.suffix) {
            guard let prefix, prefix.mapping < claim.mapping else { return claim.mapping }
            break
        }
        guard let prefix, !prefix.isDocuments else { return nil }
        return prefix.mapping
    }

    private func firstPrefix(of path: Span<UInt8>) -> Prefix? {
        for prefix in prefixes where isBelow(path, prefix.path) { return prefix }
        return nil
    }

    /// Whether the file at that path may be sent as it is.
    ///
    /// Refused are files and folders whose names begin with a dot (but for "/.well-known", RFC 8615),
    /// shared objects, editors' backups, and whatever a program claims, in any case of letters: its
    /// source must not leave the server because its handler did not run (CVE-2008-1111).
    package func allows(_ path: Span<UInt8>) -> Bool {
        if isHidden(path, upTo: path.count) { return false }
        for claim in claims where hasSuffixIgnoringCase(path, claim.suffix) { return false }
        if let prefix = firstPrefix(of: path), !prefix.isDocuments { return false }
        return !isProgramOrBackup(path)
    }

    /// "/cgi-bin/" without the slash at its end; "/" is "".
    private static func folder(_ prefix: String) -> [UInt8] {
        var bytes = Array(prefix.utf8)
        while bytes.last == UInt8(ascii: "/") { bytes.removeLast() }
        return bytes
    }
}

/// Whether a segment of the path's first `end` bytes begins with a dot; "/.well-known" does not count.
func isHidden(_ path: Span<UInt8>, upTo end: Int) -> Bool {
    let known = equals(path, 0, "/.well-known") && (path.count == 12 || path[12] == slash)
    var index = known ? 12 : 0
    while index + 1 < end {
        if path[index] == slash && path[index + 1] == UInt8(ascii: ".") { return true }
        index += 1
    }
    return false
}

/// Whether the path is `prefix`, which has no slash at its end, or lies below it, as segments.
package func isBelow(_ path: Span<UInt8>, _ prefix: [UInt8]) -> Bool {
    guard path.count >= prefix.count else { return false }
    for index in prefix.indices where path[index] != prefix[index] { return false }
    return path.count == prefix.count || path[prefix.count] == slash
}

func hasSuffix(_ path: Span<UInt8>, _ suffix: [UInt8]) -> Bool {
    guard path.count >= suffix.count else { return false }
    let start = path.count - suffix.count
    for index in suffix.indices where path[start + index] != suffix[index] { return false }
    return true
}

private func hasSuffixIgnoringCase(_ path: Span<UInt8>, _ suffix: [UInt8]) -> Bool {
    guard path.count >= suffix.count else { return false }
    let start = path.count - suffix.count
    for index in suffix.indices
    where lowercased(path[start + index]) != lowercased(suffix[index]) { return false }
    return true
}

/// "x.so", "libx.so.1", "x~".
private func isProgramOrBackup(_ path: Span<UInt8>) -> Bool {
    if path.isEmpty || path[path.count - 1] == UInt8(ascii: "~") { return true }
    var index = path.count - 1
    while index >= 0 && path[index] != slash {
        if equalsIgnoringCase(path, index, ".so"),
            index + 3 == path.count || path[index + 3] == UInt8(ascii: ".")
        {
            return true
        }
        index -= 1
    }
    return false
}

let slash = UInt8(ascii: "/")
