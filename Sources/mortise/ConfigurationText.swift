// What the operator named on the command line, as the text of a configuration.
// SPDX-License-Identifier: Apache-2.0

import Configuration
import Platform

/// The text of a configuration and where it comes from.
struct ConfigurationText {
    enum Origin {
        /// A file, as the operator calls it.
        case file(String)
        /// Made up for an extension or a folder; all its paths are absolute.
        case made
    }

    var origin: Origin
    /// How messages call it.
    var name: String
    /// What relative paths start from, without symbolic links.
    var folder: String
    var text: String

    struct Failure: Error {
        let reason: String
        /// Something is there, and it is no text: an error of the configuration's.
        let isNoText: Bool
        init(_ reason: String, isNoText: Bool = false) {
            self.reason = reason
            self.isNoText = isNoText
        }
    }

    /// The text of a file.
    static func ofFile(_ name: String) throws(Failure) -> ConfigurationText {
        let path: String
        let bytes: [UInt8]
        do throws(SystemError) {
            path = try Files.absolutePath(name)
            let file = try Files.open(path, .readOnly)
            bytes = try Files.contents(of: file.number)
        } catch {
            throw Failure("\(name) cannot be read: \(error)")
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw Failure("configuration \(name) is not UTF-8 text", isNoText: true)
        }
        return ConfigurationText(
            origin: .file(name), name: name, folder: Folders.parent(of: path), text: text)
    }

    /// The text for a file, an extension or a folder; the file `site.yaml` of a folder goes first.
    /// Nothing is the folder the command was started in.
    static func of(_ argument: String?, listen: String?) throws(Failure) -> ConfigurationText {
        let name = argument ?? "."
        let path: String
        do {
            path = try Files.realPath(name)
        } catch {
            throw Failure("\(name) cannot be read: \(error)")
        }
        if Folders.exists(path) {
            if (try? Files.status(path: "\(path)/site.yaml")) != nil {
                return try ofFile(argument == nil ? "site.yaml" : "\(name)/site.yaml")
            }
            guard argument != nil else {
                throw Failure("no site.yaml in this folder; name a file, an extension or a folder")
            }
            return ofFolder(path, listen)
        }
        guard isExtension(path) else { return try ofFile(name) }
        return ConfigurationText(
            origin: .made, name: name, folder: Folders.parent(of: path),
            text: StarterText.forExtension(
                libraryPath: path, listen: listen ?? StarterText.listen))
    }

    private static func ofFolder(_ path: String, _ listen: String?) -> ConfigurationText {
        ConfigurationText(
            origin: .made, name: path, folder: path,
            text: StarterText.forFolder(
                path, cgi: Folders.exists("\(path)/cgi-bin"),
                listen: listen ?? StarterText.listen))
    }

    /// By the first bytes of the file, whatever its name (man 5 elf).
    private static func isExtension(_ path: String) -> Bool {
        guard let file = try? Files.open(path, [.readOnly, .nonBlocking]) else { return false }
        var magic: [UInt8] = [0, 0, 0, 0]
        let count = magic.withUnsafeMutableBytes { try? Files.read(file.number, into: $0, at: 0) }
        return count == 4 && magic == [0x7F, 0x45, 0x4C, 0x46]
    }
}
