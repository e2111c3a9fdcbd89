// From text to a tree of nodes, whatever the text is.
// SPDX-License-Identifier: Apache-2.0

import Yams

/// The YAML document of a file, within bounds that no text can break.
enum Document {
    /// Bytes of a file; more is refused.
    static let largestText = 1 << 20
    /// Bytes the text would have with every alias written out; more is refused.
    static let largestExpansion = 16 << 20

    /// The root of the only document; nil when the file is empty or was refused.
    static func root(of text: String, _ report: Report) -> Node? {
        guard text.utf8.count <= largestText else {
            report.add(
                at: Place(), found: "a file of \(text.utf8.count) bytes",
                expected: "at most \(largestText) bytes")
            return nil
        }
        guard characters(of: text, report) else { return nil }
        guard expansion(of: Array(text.utf8)) <= largestExpansion else {
            report.add(
                at: Place(), found: "aliases that multiply into a huge document",
                expected: "at most \(largestExpansion) bytes with every alias written out")
            return nil
        }
        do {
            // No resolver rules: what a value means is said by its key, so "1.10" and "no" stay text.
            return try Parser(yaml: text, resolver: .basic, encoding: .utf8).singleRoot()
        } catch {
            explain(error, text, report)
            return nil
        }
    }

    /// Refuses what is no text: control characters, and line ends that editors do not count.
    private static func characters(of text: String, _ report: Report) -> Bool {
        var place = Place(line: 1, column: 0)
        var previous: Unicode.Scalar = " "
        for scalar in text.unicodeScalars {
            place.column += 1
            let isLoneReturn = previous == "\r" && scalar != "\n"
            if isLoneReturn || isRefused(scalar) {
                let culprit = isLoneReturn ? previous : scalar
                if isLoneReturn { place.column -= 1 }
                let number = String(culprit.value, radix: 16, uppercase: true)
                let padding = String(repeating: "0", count: max(0, 4 - number.count))
                report.add(
                    at: place, found: "the character U+\(padding)\(number)",
                    expected: "text without control characters")
                return false
            }
            if scalar == "\n" { place = Place(line: place.line + 1, column: 0) }
            previous = scalar
        }
        return true
    }

    private static func isRefused(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x09, 0x0A, 0x0D: false
        case 0...0x1F, 0x7F...0x9F, 0x2028, 0x2029, 0xFEFF, 0xFFFE, 0xFFFF: true
        default: false
        }
    }

    /// An upper bound of the bytes the text has with every alias written out.
    ///
    /// Rationale: the YAML library keeps shared nodes shared, but whoever walks or hashes the tree walks each
    /// use, and ten lines of aliases to aliases are ten billion nodes. A node ends before its
    /// first alias begins, so all that lies between the two bounds the node. "&a" inside quotes is counted
    /// as well; it does no harm without "*a".
    static func expansion(of bytes: [UInt8]) -> Int {
        var total = 0
        var anchored: [ArraySlice<UInt8>: Int] = [:]
        var weights: [ArraySlice<UInt8>: Int] = [:]
        var index = 0
        while index < bytes.count {
            let byte = bytes[index]
            index += 1
            total += 1
            guard byte == UInt8(ascii: "&") || byte == UInt8(ascii: "*") else { continue }
            let end = bytes[index...].firstIndex { !isNameByte($0) } ?? bytes.count
            let name = bytes[index..<end]
            total += name.count
            index = end
            if byte == UInt8(ascii: "&") {
                anchored[name] = total
                weights[name] = nil
            } else if let start = anchored[name] {
                let weight = weights[name] ?? (total - start)
                weights[name] = weight
                total += weight
            }
            if total > largestExpansion { return total }
        }
        return total
    }

    /// What libyaml takes for the name of an anchor.
    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default: false
        }
    }

    private static func explain(_ error: any Error, _ text: String, _ report: Report) {
        switch error as? YamlError {
        case .scanner(let context, let problem, let mark, _),
            .parser(let context, let problem, let mark, _),
            .composer(let context, let problem, let mark, _):
            explain(problem, at: place(mark), context, text, report)
        case .duplicatedKeysInMapping(let keys, let context):
            let key = keys.first.map { Spelling.quoted($0) } ?? "a key"
            report.add(
                at: place(context.mark), found: "\(key) more than once in one mapping",
                expected: "each key once")
        case .reader(let problem, _, _, _):
            report.add(at: Place(), found: "broken text: \(problem)", expected: "UTF-8")
        default:
            report.add(at: Place(), found: "broken YAML", expected: "valid YAML")
        }
    }

    /// Slips that libyaml explains in words of its own trade get plain ones.
    private static func explain(
        _ problem: String, at place: Place, _ context: YamlError.Context?, _ text: String,
        _ report: Report
    ) {
        let start = context.map { Self.place($0.mark) } ?? place
        if problem.hasPrefix("Maximum nesting level") {
            report.add(at: place, found: "far too many levels", expected: "a shallow file")
        } else if character(of: text, at: start) == "*" {
            report.add(
                at: start, found: "a text that begins with * without quotes",
                expected: "it in quotes, such as \"*.php\"")
        } else if character(of: text, at: place) == "\t" {
            report.add(at: place, found: "a tab", expected: "spaces")
        } else {
            let context = context.map { " \($0.text) of line \(start.line)" } ?? ""
            report.add(
                at: place, found: "broken YAML:\(context) \(problem)", expected: "valid YAML")
        }
    }

    private static func place(_ mark: Mark) -> Place {
        Place(line: mark.line, column: mark.column)
    }

    private static func character(of text: String, at place: Place) -> Unicode.Scalar? {
        let lines = text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false)
        guard lines.indices.contains(place.line - 1) else { return nil }
        return lines[place.line - 1].dropFirst(max(0, place.column - 1)).first
    }
}
