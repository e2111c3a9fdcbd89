// The reference of the documentation says what the reader of configurations does.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import Configuration

struct ReferenceTests {
    /// The tables' rows, and the keys that headings name.
    private let reference = Reference.read()

    @Test func everyKeyOfTheReaderIsInTheReferenceAndNoOther() {
        let known = Set(keys(below: []).map(\.documented))
        let written = Set(reference.keys)
        #expect(known.count > 60, "the reader tells its keys")
        #expect(
            known.subtracting(written).sorted() == [], "keys without a line in Configuration.md")
        #expect(written.subtracting(known).sorted() == [], "keys in Configuration.md that are none")
    }

    @Test func noKeyStandsTwiceInTheReference() {
        #expect(Set(reference.keys).count == reference.keys.count)
    }

    @Test func aDefaultOfTheReferenceThatIsWrittenOutChangesNothing() throws {
        var tried = 0
        for row in reference.rows {
            guard let value = row.value, let place = Frame(of: row.key) else { continue }
            let written = try read(place.text(with: Self.quoted(value)))
            #expect(written == (try read(place.text(with: nil))), "the default of \(row.key)")
            tried += 1
        }
        #expect(tried > 40, "the reference has defaults")
    }

    @Test func aRangeOfTheReferenceIsTheOneThatTheReaderAsksFor() {
        var tried = 0
        for row in reference.rows {
            guard let place = Frame(of: row.key) else { continue }
            let complaint = complaints(about: place.text(with: "made-up"))
            guard let range = Self.range(in: complaint) else { continue }
            #expect(row.range == range, "the range of \(row.key)")
            tried += 1
        }
        #expect(tried > 30, "the reader tells its ranges")
    }

    // MARK: What the reader says

    /// The keys at a place and below it, learnt from what the reader expects in place of one that it
    /// does not know. A section is whatever complains about the key, so that no new one is forgotten.
    private func keys(below path: [Step]) -> [[Step]] {
        for step in path.isEmpty ? [nil] : [nil, Step.element, Step.name] {
            let place = path + (step.map { [$0] } ?? [])
            guard let names = expectedKeys(at: place) else { continue }
            return names.flatMap { name -> [[Step]] in
                let key = place + [.key(name)]
                return [key] + keys(below: key)
            }
        }
        return []
    }

    /// Nil: nothing at that place has keys.
    private func expectedKeys(at place: [Step]) -> [String]? {
        let unknown = "{ made-up: 1 }"
        let text = place.reversed().reduce(unknown) { inner, step in
            switch step {
            case .key(let name): "{ \(name): \(inner) }"
            case .element: "[\(inner)]"
            case .name: "{ x: \(inner) }"
            }
        }
        do {
            _ = try read(text)
            return nil
        } catch {
            let complaint = error.all.first { $0.found == "'made-up'" }
            guard let expected = complaint?.expected else { return nil }
            if expected.hasPrefix("one of ") {
                return expected.dropFirst(7).components(separatedBy: ", ")
            }
            // A sentence is about names that are free to choose.
            return expected.contains(" ") ? nil : [expected]
        }
    }

    /// "1 to 9" of a complaint that asks for a number, a time or a size.
    private static func range(in complaint: String) -> String? {
        let range = complaint.firstMatch(of: /from (\d\w*) to (\d\w*)/)
        return range.map { "\($0.1) to \($0.2)" }
    }

    private static func quoted(_ value: String) -> String {
        value.hasPrefix("[") || value.hasPrefix("{") ? value : "\"\(value)\""
    }
}

/// A step on the way to a key.
private enum Step: Equatable {
    case key(String)
    /// One of a list.
    case element
    /// One of a mapping whose names are free to choose.
    case name
}

extension [Step] {
    /// How the reference writes it. The pool of an extension has the keys of a pool, which stand there.
    fileprivate var documented: String {
        let path = reduce(into: "") { path, step in
            switch step {
            case .key(let name): path += path.isEmpty ? name : ".\(name)"
            case .element: path += "[]"
            case .name: path += ".NAME"
            }
        }
        let own = "extensions.NAME.pool."
        return path.hasPrefix(own) ? "pools.NAME." + path.dropFirst(own.count) : path
    }
}

/// A configuration without complaints around one key.
private struct Frame {
    private let start: String
    private let keys: Substring
    private let end: String

    /// Nil: the key cannot stand alone.
    init?(of path: String) {
        let frames = [
            ("pools.NAME.", "sites: [{ root: w }]\npools: { x: { command: [x], ", " } }"),
            (
                "sites[].handlers[].cgi.", "sites: [{ root: w, handlers: [{ path: /c, cgi: { ",
                " } }] }]"
            ),
            (
                "sites[].handlers[].redirect.",
                "sites: [{ handlers: [{ path: /c, redirect: { location: /n, ", " } }] }]"
            ),
            ("sites[].", "sites: [{ root: w, ", " }]"),
            ("", "sites: [{ root: w }]\n", ""),
        ]
        let frame = frames.first { path.hasPrefix($0.0) }
        guard let frame else { return nil }
        (start, keys, end) = (frame.1, path.dropFirst(frame.0.count), frame.2)
        guard !keys.contains("NAME"), !keys.contains("[]"), keys != "command", keys != "location"
        else { return nil }
    }

    /// `value` nil: without the key.
    func text(with value: String?) -> String {
        guard let value else { return start + end }
        let names = keys.components(separatedBy: ".")
        let inner = names.dropFirst().reversed().reduce(value) { "{ \($1): \($0) }" }
        return "\(start)\(names[0]): \(inner)\(end)"
    }
}

/// Configuration.md as far as it is tables.
private struct Reference {
    struct Row {
        let key: String
        /// The default, when it is a value that can be written.
        let value: String?
        let range: String
    }

    var rows: [Row] = []
    var headings: [String] = []
    var keys: [String] { rows.map(\.key) + headings }

    static func read() -> Reference {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let file = root.appendingPathComponent("Sources/mortise/mortise.docc/Configuration.md")
        let text = (try? String(contentsOf: file, encoding: .utf8)) ?? ""
        var reference = Reference()
        for line in text.split(separator: "\n") {
            if line.hasPrefix("#"), let key = line.firstMatch(of: /^#+ `([^`]+)`$/) {
                reference.headings.append(String(key.1))
            } else if line.hasPrefix("| `") {
                let cells = line.split(separator: "|", omittingEmptySubsequences: false)
                    .map { $0.trimmingCharacters(in: .whitespaces) }
                reference.rows.append(
                    Row(key: code(cells[1]) ?? cells[1], value: code(cells[2]), range: cells[3]))
            }
        }
        return reference
    }

    /// The text of a cell that is one piece of code.
    private static func code(_ cell: String) -> String? {
        guard cell.count > 2, cell.hasPrefix("`"), cell.hasSuffix("`") else { return nil }
        let inner = cell.dropFirst().dropLast()
        return inner.contains("`") ? nil : String(inner)
    }
}
