// A value as JSON text (RFC 8259).
// SPDX-License-Identifier: Apache-2.0

/// What answers to operators' programs are made of; only ever written, never read.
package enum JSONValue: Sendable, Equatable {
    case null
    case bool(Bool)
    case number(Int64)
    case text(String)
    case list([JSONValue])
    /// In this order.
    case object([(String, JSONValue)])

    package static func == (one: JSONValue, other: JSONValue) -> Bool {
        one.written == other.written
    }

    package static func texts(_ texts: [String]) -> JSONValue { .list(texts.map { .text($0) }) }
    package static func optional(_ text: String?) -> JSONValue { text.map { .text($0) } ?? .null }

    /// On one line.
    package var written: String {
        switch self {
        case .null: "null"
        case .bool(let flag): "\(flag)"
        case .number(let number): "\(number)"
        case .text(let text): Self.quoted(text)
        case .list(let values): "[" + values.map(\.written).joined(separator: ", ") + "]"
        case .object(let members):
            "{"
                + members.map { "\(Self.quoted($0.0)): \($0.1.written)" }.joined(separator: ", ")
                + "}"
        }
    }

    private static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "\n": quoted += "\\n"
            case _ where scalar.value < 0x20 || scalar.value == 0x7f:
                let digits = String(scalar.value, radix: 16)
                quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}
