// One response as a careful client reads it.
// SPDX-License-Identifier: Apache-2.0

package struct HTTPResponse: Sendable, Equatable {
    package struct Field: Sendable, Hashable {
        package var name: String
        package var value: String
    }

    package var version = ""
    package var status = 0
    package var reason = ""
    package var fields: [Field] = []
    package var body: [UInt8] = []
    /// Whether the response ended where its framing says.
    package var isComplete = false
    package var isChunked = false

    package init() {}

    /// Its head has come, and not all of its body.
    package var isCut: Bool { status != 0 && !isComplete }
    package var text: String { String(decoding: body, as: UTF8.self) }

    /// The value of the only field of that name; nil when there is none or more than one.
    package func value(_ name: String) -> String? {
        let found = values(name)
        return found.count == 1 ? found[0] : nil
    }

    package func values(_ name: String) -> [String] {
        fields.filter { $0.name.lowercased() == name.lowercased() }.map(\.value)
    }

    /// Names in lower case with their values, sorted, without the named ones.
    package func fieldSet(without names: Set<String> = []) -> [String] {
        fields.filter { !names.contains($0.name.lowercased()) }
            .map { "\($0.name.lowercased()): \($0.value)" }.sorted()
    }

    /// Reads the head in `bytes`, which ends with the blank line; nil when it is not one.
    package static func head(_ bytes: ArraySlice<UInt8>) -> HTTPResponse? {
        var lines = bytes.split(separator: 10, omittingEmptySubsequences: false)
        guard lines.count >= 3, lines.removeLast().isEmpty,
            lines.allSatisfy({ $0.last == 13 }), lines.removeLast().count == 1
        else { return nil }
        var texts = lines.map { String(decoding: $0.dropLast(), as: UTF8.self) }
        let first = texts.removeFirst().split(
            separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
        guard first.count >= 2, first[0].hasPrefix("HTTP/1."), let status = Int(first[1]) else {
            return nil
        }
        var response = HTTPResponse()
        response.version = String(first[0])
        response.status = status
        response.reason = first.count == 3 ? String(first[2]) : ""
        for text in texts {
            guard let colon = text.firstIndex(of: ":") else { return nil }
            let value = text[text.index(after: colon)...].drop { $0 == " " || $0 == "\t" }
            response.fields.append(Field(name: String(text[..<colon]), value: trimmed(value)))
        }
        return response
    }

    private static func trimmed(_ value: Substring) -> String {
        var value = value
        while value.last == " " || value.last == "\t" { value.removeLast() }
        return String(value)
    }
}
