// Paths without links and dots.
// SPDX-License-Identifier: Apache-2.0

import Glibc

extension Files {
    /// The path's true name: absolute, no symbolic links (man 3 realpath).
    package static func realPath(_ path: String) throws(SystemError) -> String {
        guard let resolved = Glibc.realpath(path, nil) else { throw .last("realpath") }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    /// What an open file is called now; nil when nobody can say (man 5 proc, /proc/pid/fd).
    package static func path(of descriptor: Int32) -> String? {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PATH_MAX)) { room in
            let count = readlink("/proc/self/fd/\(descriptor)", room.baseAddress!, room.count)
            guard count > 0 else { return nil }
            return String(
                decoding: UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(room)[..<count]),
                as: UTF8.self)
        }
    }

    /// The absolute path of a file as somebody names it: its folder's true name, its own name kept.
    package static func absolutePath(_ path: String) throws(SystemError) -> String {
        guard let slash = path.lastIndex(of: "/") else { return try realPath(".") + "/" + path }
        let folder = slash == path.startIndex ? "/" : String(path[..<slash])
        let resolved = try realPath(folder)
        return (resolved == "/" ? "" : resolved) + path[slash...]
    }

    /// The names in a folder, without "." and ".."; none when it cannot be read.
    package static func names(in folder: String) -> [String] {
        guard let stream = opendir(folder) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names
    }
}
