// Configurations for one extension or one folder, when there is no file.
// SPDX-License-Identifier: Apache-2.0

/// What `mortise serve hello.so` and `mortise serve FOLDER` serve: text, because text is what travels to
/// the host and is read there again.
package enum StarterText {
    package static let listen = "127.0.0.1:8080"

    /// One extension for every path. `libraryPath` absolute.
    package static func forExtension(libraryPath: String, listen: String = listen) -> String {
        let name = quoted(name(ofLibrary: libraryPath))
        return """
            listen: [\(quoted(listen))]
            extensions:
              \(name): { library: \(quoted(libraryPath)) }
            sites:
              - name: main
                handlers:
                  - { path: /, extension: \(name) }

            """
    }

    /// The files of a folder; PHP scripts and `/cgi-bin` when asked for. `path` absolute.
    package static func forFolder(
        _ path: String, php: Bool, cgi: Bool, listen: String = listen
    ) -> String {
        var text = "listen: [\(quoted(listen))]\n"
        if php { text += "pools:\n  php: { command: [php-cgi] }\n" }
        text += "sites:\n  - name: main\n    root: \(quoted(path))\n"
        if php || cgi { text += "    handlers:\n" }
        if php { text += "      - { path: \"*.php\", pool: php }\n" }
        if cgi { text += "      - { path: /cgi-bin/*, cgi: true }\n" }
        return text
    }

    /// "hello" of "/a/libhello.so".
    static func name(ofLibrary path: String) -> String {
        var name = path.split(separator: "/").last ?? ""
        if let end = name.firstRange(of: ".so") { name = name[..<end.lowerBound] }
        if name.hasPrefix("lib"), name.count > 3 { name = name.dropFirst(3) }
        let plain = name.utf8.prefix(64).map { Names.isWordByte($0) ? $0 : UInt8(ascii: "-") }
        return plain.isEmpty ? "extension" : String(decoding: plain, as: UTF8.self)
    }

    /// A double-quoted YAML text (YAML 1.1 §9.5).
    static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0x22, 0x5C:
                result += "\\"
                result.unicodeScalars.append(scalar)
            case 0..<0x20, 0x7F...0x9F, 0x2028, 0x2029, 0xFEFF, 0xFFFE, 0xFFFF:
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
