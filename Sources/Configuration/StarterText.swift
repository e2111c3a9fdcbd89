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

    /// The files of a folder; its PHP scripts, and those of `/cgi-bin` when asked for. `path` absolute.
    ///
    /// Rationale: PHP is always handed to php-cgi. Where that is missing such a request is a 503; without the
    /// handler it would be answered with the script's source.
    package static func forFolder(_ path: String, cgi: Bool, listen: String = listen) -> String {
        let scripts = cgi ? "      - { path: /cgi-bin/*, cgi: true }\n" : ""
        return """
            listen: [\(quoted(listen))]
            pools:
              php: { command: [php-cgi], processes: { min: 0, max: 4 } }
            sites:
              - name: main
                root: \(quoted(path))
                handlers:
                  - { path: "*.php", pool: php }
            \(scripts)
            """
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
