// Which file of a site a path means when programs answer: the script and its path info.
// SPDX-License-Identifier: Apache-2.0

import Exchange
import Platform

/// Finds the script that a path names: its first segments that lead to an existing regular file.
///
/// The file system decides, never the text alone, so "/x.jpg/a.php" is no script when x.jpg is a file
/// (nginx's and php's CVE-2013-4547 and cgi.fix_pathinfo), and the ending must be the mapping's byte by
/// byte. What follows the file is the path info (RFC 3875 §4.1.5).
package enum FileResolver {
    /// For a mapping like "*.php". True: `route` has script name, path info and script file name.
    package static func resolve(
        _ path: Span<UInt8>, suffix: [UInt8], site: ServedSite, into route: inout Route
    ) -> Bool {
        var end = 0
        while let next = endOfSegment(path, from: end) {
            end = next
            guard hasSuffix(path.extracting(0..<end), suffix), end > suffix.count,
                path[end - suffix.count - 1] != slash
            else { continue }
            switch find(path, upTo: end, site) {
            case .file: return take(path, end, site, into: &route)
            case .folder: continue
            case .nothing: return false
            }
        }
        return false
    }

    /// For a mapping like "/cgi-bin/*": the first file below `prefix`, which is "/cgi-bin" or, for
    /// everything, empty. True as above.
    package static func resolve(
        _ path: Span<UInt8>, below prefix: [UInt8], site: ServedSite, into route: inout Route
    ) -> Bool {
        guard path.count > prefix.count, isBelow(path, prefix) else { return false }
        let start = prefix.count
        var end = start
        while let next = endOfSegment(path, from: end) {
            end = next
            switch find(path, upTo: end, site) {
            case .file: return take(path, end, site, into: &route)
            case .folder: continue
            case .nothing: return false
            }
        }
        return false
    }

    /// Fills the route with the script that ends at `end`.
    static func take(
        _ path: Span<UInt8>, _ end: Int, _ site: ServedSite, into route: inout Route
    ) -> Bool {
        route.scriptName.removeAll(keepingCapacity: true)
        route.pathInfo.removeAll(keepingCapacity: true)
        route.scriptFilename.removeAll(keepingCapacity: true)
        path.extracting(0..<end).withUnsafeBufferPointer { route.scriptName.append(contentsOf: $0) }
        path.extracting(end..<path.count).withUnsafeBufferPointer {
            route.pathInfo.append(contentsOf: $0)
        }
        site.documentRoot.withUnsafeBufferPointer { route.scriptFilename.append(contentsOf: $0) }
        path.extracting(0..<end).withUnsafeBufferPointer {
            route.scriptFilename.append(contentsOf: $0)
        }
        return true
    }

    private enum Found { case file, folder, nothing }

    private static func find(_ path: Span<UInt8>, upTo end: Int, _ site: ServedSite) -> Found {
        guard site.rootDescriptor >= 0, !isHidden(path, upTo: end) else { return .nothing }
        let name = path.extracting(0..<end)
        if site.scripts.knows(name) { return .file }
        switch Files.find(name, Span<UInt8>(), beneath: site.rootDescriptor) {
        case .file:
            site.scripts.remember(name)
            return .file
        case .folder: return .folder
        case .special: return .nothing
        case .failed: return .nothing
        }
    }

    /// Where the segment after `start` ends; nil when there is none. Segments follow a slash each.
    private static func endOfSegment(_ path: Span<UInt8>, from start: Int) -> Int? {
        guard start + 1 < path.count, path[start] == slash else { return nil }
        var end = start + 1
        while end < path.count && path[end] != slash { end += 1 }
        return end
    }
}
