// A folder for one test, and what stands in it.
// SPDX-License-Identifier: Apache-2.0

import Glibc
package import Platform

/// A new folder below /tmp; removed with what is in it.
package final class TemporaryFolder: Sendable {
    package let path: String

    package init() throws {
        var template = Array("/tmp/mortise-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw SystemError.last("mkdtemp") }
        path = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    }

    deinit { Self.remove(path) }

    private static func remove(_ path: String) {
        if let folder = opendir(path) {
            while let entry = readdir(folder) {
                let name = withUnsafePointer(to: &entry.pointee.d_name) {
                    $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                }
                if name == "." || name == ".." { continue }
                let isFolder = entry.pointee.d_type == UInt8(DT_DIR)
                if isFolder { remove(path + "/" + name) } else { unlink(path + "/" + name) }
            }
            closedir(folder)
        }
        rmdir(path)
    }

    package func read(_ name: String) throws -> String {
        let file = try Files.open(path + "/" + name, .readOnly)
        return String(decoding: try Files.contents(of: file.number), as: UTF8.self)
    }

    /// Writes a file, with the folders above it.
    @discardableResult
    package func write(_ name: String, _ text: String) throws -> FileStatus {
        var folder = path
        for segment in name.split(separator: "/").dropLast() {
            folder += "/" + segment
            mkdir(folder, 0o755)
        }
        let file = try Files.open(path + "/" + name, [.writeOnly, .create, .truncate], mode: 0o644)
        let bytes = Array(text.utf8)
        try bytes.withUnsafeBytes { try Files.writeAll(file.number, $0) }
        return try Files.status(file.number)
    }

    package func makeFolder(_ name: String) { mkdir(path + "/" + name, 0o755) }
    package func link(_ name: String, to target: String) { symlink(target, path + "/" + name) }
    package func makePipe(_ name: String) { mkfifo(path + "/" + name, 0o600) }
    package func move(_ name: String, to other: String) {
        rename(path + "/" + name, path + "/" + other)
    }
}
