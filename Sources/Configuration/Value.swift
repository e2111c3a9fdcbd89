// One value of the file: what it is asked to be, or a complaint.
// SPDX-License-Identifier: Apache-2.0

import Yams

/// A node with its place. Each question answers with the value or, after a complaint, with nil.
struct Value {
    let node: Node
    let report: Report

    /// Written as nothing: `pools:`, `~` or `null`.
    var isNothing: Bool {
        guard case .scalar(let scalar) = node, scalar.style == .plain else { return false }
        return ["", "~", "null"].contains(scalar.string)
    }

    var isList: Bool { node.sequence != nil }
    var isScalar: Bool { node.scalar != nil }
    var isSection: Bool { node.mapping != nil }

    /// How the value looks in a complaint.
    var shown: String {
        switch node {
        case .scalar(let scalar): isNothing ? "nothing" : Spelling.quoted(scalar.string)
        case .mapping: "a mapping"
        case .sequence: "a list"
        case .alias: "an alias"
        }
    }

    var place: Place {
        node.mark.map { Place(line: $0.line, column: $0.column) } ?? Place()
    }

    func refuse(
        found: String? = nil, expected: String, suggestion: @autoclosure () -> String? = nil
    ) {
        report.add(at: place, found: found ?? shown, expected: expected, suggestion: suggestion())
    }

    /// A text of at least one character, none of them NUL.
    func text(_ expected: String) -> String? {
        guard case .scalar(let scalar) = node, !isNothing, !scalar.string.isEmpty,
            !scalar.string.utf8.contains(0)
        else {
            refuse(expected: expected)
            return nil
        }
        return scalar.string
    }

    /// A text that may be empty: the value of a variable.
    func anyText(_ expected: String) -> String? {
        guard case .scalar(let scalar) = node, !scalar.string.utf8.contains(0) else {
            refuse(expected: expected)
            return nil
        }
        return isNothing ? "" : scalar.string
    }

    func integer(_ range: ClosedRange<Int>) -> Int? {
        let expected = "a whole number from \(range.lowerBound) to \(range.upperBound)"
        guard let text = text(expected) else { return nil }
        guard let number = Int(text), range.contains(number) else {
            refuse(expected: expected)
            return nil
        }
        return number
    }

    /// Seconds, from a number or a number with a unit.
    func duration(_ range: ClosedRange<Double> = Quantity.anyDuration) -> Double? {
        let least = range.lowerBound > 0 ? "1ms" : "0"
        let expected =
            "a time from \(least) to \(Quantity.longest), such as 30, 500ms, 30s, 5m or 1h"
        guard let text = text(expected) else { return nil }
        guard let seconds = Quantity.seconds(text), range.contains(seconds) else {
            refuse(expected: expected)
            return nil
        }
        return seconds
    }

    /// Bytes, from a number or a number with a unit.
    func size(_ range: ClosedRange<Int64>) -> Int64? {
        let expected =
            "a size from \(range.lowerBound) to \(Quantity.shown(range.upperBound)), "
            + "such as 65536, 64KiB, 10MB or 1GiB"
        guard let text = text(expected) else { return nil }
        guard let bytes = Quantity.bytes(text), range.contains(bytes) else {
            refuse(expected: expected)
            return nil
        }
        return bytes
    }

    func flag() -> Bool? {
        switch text("true or false") {
        case nil: return nil
        case "true": return true
        case "false": return false
        default:
            refuse(expected: "true or false")
            return nil
        }
    }

    /// The values of a list; a single value counts as a list of one. Nothing is an empty list.
    func elements(_ expected: String) -> [Value] {
        switch node {
        case .sequence(let sequence): return sequence.map { Value(node: $0, report: report) }
        case .scalar: return isNothing ? [] : [self]
        default:
            refuse(expected: expected)
            return []
        }
    }

    /// The values of a list; nothing is an empty list.
    func list(_ expected: String) -> [Value] {
        guard isList || isNothing else {
            refuse(expected: expected)
            return []
        }
        return elements(expected)
    }
}
