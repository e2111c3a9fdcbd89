// A mapping of the file: its keys, each once and each known.
// SPDX-License-Identifier: Apache-2.0

import Yams

/// The entries of a mapping in the order of the file, merge keys (`<<: *defaults`) followed.
struct Section {
    struct Entry {
        let key: Value
        let name: String
        let value: Value
    }

    /// The mapping itself, for complaints about what it lacks.
    let place: Value
    private(set) var entries: [Entry] = []
    private var names: Set<String> = []

    /// Nothing (`pools:`) is a mapping without entries; anything but a mapping is refused.
    init?(_ value: Value, expected: String) {
        place = value
        guard !value.isNothing else { return }
        guard case .mapping(let mapping) = value.node else {
            value.refuse(expected: expected)
            return nil
        }
        var merged: [Value] = []
        for (key, node) in mapping {
            let entry = Value(node: node, report: value.report)
            let key = Value(node: key, report: value.report)
            guard let name = key.text("a key") else { continue }
            if name == "<<" {
                merged += entry.isSection ? [entry] : entry.list("a mapping or a list of mappings")
            } else if names.insert(name).inserted {
                entries.append(Entry(key: key, name: name, value: entry))
            } else {
                key.refuse(
                    found: "\(key.shown) more than once in one mapping", expected: "each key once")
            }
        }
        for value in merged { merge(value) }
    }

    subscript(_ name: String) -> Value? { entries.first { $0.name == name }?.value }

    /// Refuses every key that is not one of these; false when there is such a key.
    @discardableResult
    func allow(_ names: [String]) -> Bool {
        let unknown = entries.filter { !names.contains($0.name) }
        for entry in unknown {
            entry.key.refuse(
                expected: Spelling.oneOf(names),
                suggestion: Spelling.nearest(to: entry.name, among: names))
        }
        return unknown.isEmpty
    }

    /// The value of a key that must be there.
    func required(_ name: String, in what: String) -> Value? {
        if let value = self[name] { return value }
        place.refuse(found: "\(what) without '\(name)'", expected: "the key '\(name)'")
        return nil
    }

    /// Own keys win over merged ones (yaml.org/type/merge.html).
    private mutating func merge(_ value: Value) {
        guard let other = Section(value, expected: "a mapping to merge") else { return }
        for entry in other.entries where names.insert(entry.name).inserted { entries.append(entry) }
    }
}
