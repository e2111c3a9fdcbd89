// A copy of an extension that nobody else writes to.
// SPDX-License-Identifier: Apache-2.0

import Platform

extension ELFFile {
    /// Copies the file into a folder of the server's own and gives the copy's path, which its content
    /// decides: a changed extension gets another name, so the loader does not take it for the old one.
    ///
    /// Nil when it needs libraries that lie beside it ($ORIGIN): then it is loaded from where it is.
    func privateCopy(of path: String, in folder: String) throws(SystemError) -> String? {
        guard !needsNeighbours(of: path) else { return nil }
        let file = try Files.open(path, [.readOnly, .nonBlocking])
        let bytes = try Files.contents(of: file.number, limit: 1 << 30)
        let name = path.split(separator: "/").last ?? "extension.so"
        let copy = "\(folder)/\(Self.digest(bytes))-\(name)"
        if let status = try? Files.status(path: copy), status.size == bytes.count {
            return copy
        }
        try Files.place(bytes, at: copy)
        return copy
    }

    /// Whether one of the libraries it needs is found only from where it lies (man 8 ld.so, $ORIGIN).
    private func needsNeighbours(of path: String) -> Bool {
        guard searchPath.contains("ORIGIN") else { return false }
        if searchPath.contains("ORIGIN/") || searchPath.contains("ORIGIN}/") { return true }
        let folder = path.lastIndex(of: "/").map { path[..<$0] } ?? "."
        return needed.contains { (try? Files.status(path: "\(folder)/\($0)")) != nil }
    }

    /// FNV-1a over words of eight bytes, and the length. It tells versions of a file apart; it does not
    /// defend against a file made to collide, whose author could as well have written the other one.
    private static func digest(_ bytes: [UInt8]) -> String {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        bytes.withUnsafeBytes { all in
            var offset = 0
            while offset + 8 <= all.count {
                hash =
                    (hash ^ all.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
                    &* 0x100_0000_01b3
                hash ^= hash >> 29
                offset += 8
            }
            for byte in all[offset...] { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        }
        return String(hash, radix: 16) + "-" + String(bytes.count, radix: 16)
    }
}
