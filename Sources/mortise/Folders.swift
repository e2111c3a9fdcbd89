// Folders by their paths.
// SPDX-License-Identifier: Apache-2.0

import Platform

enum Folders {
    static func exists(_ path: String) -> Bool {
        (try? Files.status(path: path))?.kind == .directory
    }

    /// All before the last "/" of an absolute path.
    static func parent(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/"), slash != path.startIndex else { return "/" }
        return String(path[..<slash])
    }

    /// The path from the root; the dynamic linker would look for a name without "/" elsewhere.
    static func absolute(_ path: String) -> String {
        (try? Files.absolutePath(path)) ?? path
    }
}
