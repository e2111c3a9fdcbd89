// `handlers:` of a site: a path and what answers it.
// SPDX-License-Identifier: Apache-2.0

extension SettingsReader {
    private static let targets = ["extension", "pool", "cgi", "files", "redirect"]
    private static let pathExpected =
        "\"/name\" or \"/name/*\" for all below a path, or \"*.ending\" for files with an ending"

    mutating func readHandlers(_ value: Value, root: String?) -> [Settings.Mapping] {
        var mappings: [Settings.Mapping] = []
        var patterns: [String: Int] = [:]
        for element in value.list("a list such as [{ path: /hello, extension: hello }]") {
            guard let section = Section(element, expected: "a mapping with a path and a target")
            else { continue }
            section.allow(["path"] + Self.targets + ["request-body"])
            let line = element.place.line
            let path = section.required("path", in: "a handler")
            let pattern = path.flatMap { readPattern($0) }
            let target = readTarget(section)
            if let path, let pattern {
                if let first = patterns.updateValue(line, forKey: "\(pattern)") {
                    path.refuse(
                        found: "\(path.shown), which line \(first) handles already",
                        expected: "each path once in a site")
                }
                refuseWithoutRoot(path, pattern, target, root)
            }
            guard let pattern, let target else { continue }
            var mapping = Settings.Mapping(pattern: pattern, target: target, line: line)
            if let value = section["request-body"] {
                mapping.preloadsBody = readRequestBody(value, target)
            }
            mappings.append(mapping)
        }
        return mappings
    }

    /// Paths are matched after decoding, so a pattern is plain text too.
    private func readPattern(_ value: Value) -> Settings.Mapping.Pattern? {
        guard let text = value.text(Self.pathExpected) else { return nil }
        guard let pattern = Self.pattern(text) else {
            let isFolder = text.hasSuffix("/") && Self.pattern(text + "*") != nil
            value.refuse(expected: Self.pathExpected, suggestion: isFolder ? text + "*" : nil)
            return nil
        }
        return pattern
    }

    static func pattern(_ text: String) -> Settings.Mapping.Pattern? {
        let isPlain = text.unicodeScalars.allSatisfy {
            $0.value > 0x20 && !"?#%\\".unicodeScalars.contains($0)
        }
        guard isPlain, text.utf8.count <= 1024 else { return nil }
        if text.hasPrefix("*.") {
            let ending = text.dropFirst()
            let isEnding = ending.utf8.count > 1 && !ending.contains { $0 == "*" || $0 == "/" }
            return isEnding ? .suffix(String(ending)) : nil
        }
        if text == "/" || text == "/*" { return .prefix("/") }
        let path = text.hasSuffix("/*") ? text.dropLast(2) : text[...]
        guard path.hasPrefix("/"), !path.contains("*") else { return nil }
        let parts = path.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
        guard parts.allSatisfy({ !$0.isEmpty && $0 != "." && $0 != ".." }) else { return nil }
        return .prefix(String(path))
    }

    private mutating func readTarget(_ section: Section) -> Settings.Mapping.Target? {
        let written = section.entries.filter { Self.targets.contains($0.name) }
        guard let entry = written.first else {
            section.place.refuse(
                found: "a handler without a target", expected: Spelling.oneOf(Self.targets))
            return nil
        }
        if written.count > 1 {
            written[1].key.refuse(
                found: written.map(\.name).joined(separator: " and "),
                expected: "only \(Spelling.oneOf(Self.targets))")
        }
        switch entry.name {
        case "extension":
            return readReference(entry.value, "extension", extensionPlaces)
                .map { .extension($0) }
        case "pool":
            return readReference(entry.value, "pool", poolPlaces).map { .pool($0) }
        case "cgi": return readCGI(entry.value).map { .cgi($0) }
        case "files": return isTrue(entry.value) ? .files : nil
        default: return readRedirect(entry.value)
        }
    }

    /// Whether it says preload. Only an extension in the server can wait for its client.
    private func readRequestBody(_ value: Value, _ target: Settings.Mapping.Target) -> Bool {
        let words = ["buffered", "preload"]
        guard let word = value.text(Spelling.oneOf(words)) else { return false }
        guard words.contains(word) else {
            value.refuse(
                expected: Spelling.oneOf(words),
                suggestion: Spelling.nearest(to: word, among: words))
            return false
        }
        guard word == "preload" else { return false }
        let found: String
        switch target {
        case .extension(let place) where settings.extensions[place].threadSafe != false: return true
        case .extension: found = "'preload' for an extension with thread-safe: false"
        default: found = "'preload' for a handler that is no extension"
        }
        value.refuse(
            found: found,
            expected: "buffered: only an extension in the server reads a body still on its way")
        return false
    }

    private func readReference(
        _ value: Value, _ what: String, _ places: [String: Int]
    ) -> Int? {
        guard let name = value.text("the name of a defined \(what)") else { return nil }
        if let place = places[name] { return place }
        if !value.report.isFull {
            let names = places.sorted { $0.value < $1.value }.map(\.key)
            value.refuse(
                found: "the undefined \(what) \(value.shown)",
                expected: names.isEmpty ? "it under '\(what)s'" : Spelling.oneOf(names),
                suggestion: Spelling.nearest(to: name, among: names))
        }
        return nil
    }

    private func isTrue(_ value: Value) -> Bool {
        if value.text("true") == "true" { return true }
        if value.isScalar, !value.isNothing { value.refuse(expected: "true") }
        return false
    }

    private mutating func readCGI(_ value: Value) -> Settings.CGI? {
        var cgi = Settings.CGI()
        guard value.isSection else { return isTrue(value) ? cgi : nil }
        guard let section = Section(value, expected: "true or a mapping") else { return nil }
        section.allow(
            ["timeout", "concurrency", "environment", "interpreter"] + Self.confinementKeys)
        if let time = section["timeout"]?.duration(Quantity.positiveDuration) { cgi.timeout = time }
        if let count = section["concurrency"]?.integer(1...10000) { cgi.concurrency = count }
        if let value = section["environment"] { cgi.environment = readEnvironment(value) }
        if let program = section["interpreter"]?.text("a program") {
            cgi.interpreter = Path.named(program, in: folder)
        }
        var confinement = Settings.Confinement()
        readConfinement(section, into: &confinement)
        if confinement != settings.scripts[0] {
            cgi.confinement = settings.scripts.count
            settings.scripts.append(confinement)
        }
        return cgi
    }

    private func readRedirect(_ value: Value) -> Settings.Mapping.Target? {
        guard value.isSection else {
            return readLocation(value).map { .redirect(status: 302, location: $0) }
        }
        guard let section = Section(value, expected: "a location or a mapping") else { return nil }
        section.allow(["location", "status"])
        var status = 302
        if let value = section["status"] {
            let expected = "one of 301, 302, 303, 307, 308"
            let number = value.text(expected)
            switch number {
            case "301", "302", "303", "307", "308": status = number.flatMap { Int($0) } ?? status
            case nil: break
            default: value.refuse(expected: expected)
            }
        }
        return section.required("location", in: "a redirect").flatMap { readLocation($0) }
            .map { .redirect(status: status, location: $0) }
    }

    /// A URI reference as it goes into the field Location (RFC 9110 §10.2.2): no blanks, no line ends.
    private func readLocation(_ value: Value) -> String? {
        let expected = "a location such as /new or https://example.test/, without blanks"
        guard let location = value.text(expected) else { return nil }
        guard location.utf8.allSatisfy({ (0x21...0x7E).contains($0) }), location.utf8.count <= 2048
        else {
            value.refuse(expected: expected)
            return nil
        }
        return location
    }

    private func refuseWithoutRoot(
        _ path: Value, _ pattern: Settings.Mapping.Pattern, _ target: Settings.Mapping.Target?,
        _ root: String?
    ) {
        guard root == nil else { return }
        if case .suffix = pattern {
            path.refuse(
                found: "\(path.shown) in a site without files", expected: "a 'root' of the site")
            return
        }
        switch target {
        case .cgi:
            path.refuse(found: "cgi in a site without files", expected: "a 'root' of the site")
        case .files:
            path.refuse(found: "files in a site without files", expected: "a 'root' of the site")
        default: break
        }
    }
}
