// From the text of a configuration to checked settings.
// SPDX-License-Identifier: Apache-2.0

package enum ConfigurationFile {
    /// Reads a configuration. It asks no file system, so that the supervisor and the host make the same
    /// settings of the same text; whether files and programs exist is `mortise check`'s business.
    ///
    /// - Parameters:
    ///   - text: The YAML.
    ///   - name: The file as the operator knows it, for messages.
    ///   - folder: What relative paths start from; absolute, best without symbolic links.
    ///   - builtInExtensionFolder: Where extensions are looked for last: the program's own folder.
    /// - Throws: everything that is wrong with the text, in its order.
    package static func load(
        text: String, name: String, folder: String, builtInExtensionFolder: String
    ) throws(ConfigurationErrors) -> Settings {
        // A byte order mark before the text is no part of it.
        let hasMark = text.unicodeScalars.first == "\u{FEFF}"
        let text = hasMark ? String(text.unicodeScalars.dropFirst()) : text
        let ends = text.utf8.count { $0 == UInt8(ascii: "\n") }
        let isLastOpen = text.utf8.last != UInt8(ascii: "\n")
        let report = Report(file: name, lines: ends + (isLastOpen ? 1 : 0))
        var settings = Settings()
        if let root = Document.root(of: text, report) {
            var reader = SettingsReader(
                folder: folder, builtInExtensionFolder: builtInExtensionFolder)
            reader.read(Value(node: root, report: report))
            settings = reader.settings
        } else if report.result == nil {
            report.add(
                at: Place(), found: "an empty file", expected: "a configuration with 'sites'")
        }
        if let errors = report.result { throw errors }
        return settings
    }
}
