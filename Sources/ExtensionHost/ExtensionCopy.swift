// A copy of an extension that nobody else writes to.
// SPDX-License-Identifier: Apache-2.0

internal import Platform

/// The file that is loaded in the place of an extension's own: whoever overwrites or truncates the original
/// hurts nobody, and all processes load the same bytes.
package enum ExtensionCopy {
    private static let largest = 1 << 30

    /// Copies the file into a folder of the server's own; the copy's name, which its content decides: a
    /// changed extension gets another name, so the loader does not take it for the old one.
    ///
    /// The copy has been checked as far as a file can be before it is loaded. Nil: the extension has to be
    /// loaded from where it lies, because it needs libraries beside it ($ORIGIN), or because nothing in the
    /// folder may be mapped as code (a file system mounted noexec).
    package static func make(
        of path: String, name: String, in folder: String
    ) throws(ExtensionError) -> String? {
        let failure = LoadFailure(name: name, path: path)
        guard try !failure.readFile().needsNeighbours(of: path) else { return nil }
        let copy: String
        do throws(SystemError) {
            copy = try place(path, in: folder)
        } catch {
            throw failure.uncopied(to: folder, error)
        }
        // What was copied may be another file than what was checked.
        let made = "\(folder)/\(copy)"
        _ = try LoadFailure(name: name, path: made).readFile()
        return Files.mayBeCode(made) ? copy : nil
    }

    private static func place(_ path: String, in folder: String) throws(SystemError) -> String {
        let file = try Files.open(path, [.readOnly, .nonBlocking])
        let bytes = try Files.contents(of: file.number, limit: largest)
        let base = path.split(separator: "/").last ?? "extension.so"
        let copy = "\(RuntimeFolder.copyPrefix)\(digest(bytes))-\(base)"
        let place = "\(folder)/\(copy)"
        if (try? Files.status(path: place))?.size != Int64(bytes.count) {
            try Files.place(bytes, at: place)
        }
        return copy
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

extension ELFFile {
    /// Whether one of the libraries it needs is found only from where it lies (man 8 ld.so, $ORIGIN).
    fileprivate func needsNeighbours(of path: String) -> Bool {
        guard searchPath.contains("ORIGIN") else { return false }
        if searchPath.contains("ORIGIN/") || searchPath.contains("ORIGIN}/") { return true }
        let folder = path.lastIndex(of: "/").map { path[..<$0] } ?? "."
        return needed.contains { (try? Files.status(path: "\(folder)/\($0)")) != nil }
    }
}
