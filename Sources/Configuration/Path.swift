// File names without a file system.
// SPDX-License-Identifier: Apache-2.0

enum Path {
    /// The path, absolute and without ".", ".." and doubled or final slashes.
    ///
    /// ".." is taken off the text, so `folder` should be free of symbolic links.
    static func absolute(_ path: String, in folder: String) -> String {
        let whole = path.hasPrefix("/") ? path : "\(folder)/\(path)"
        var parts: [Substring] = []
        for part in whole.split(separator: "/") where part != "." {
            if part == ".." { _ = parts.popLast() } else { parts.append(part) }
        }
        return "/" + parts.joined(separator: "/")
    }

    /// A program or library: a name without "/" is looked for later and stays as it is.
    static func named(_ name: String, in folder: String) -> String {
        name.contains("/") ? absolute(name, in: folder) : name
    }
}
