// One response as a careful client reads it.
// SPDX-License-Identifier: Apache-2.0

import Foundation

struct HTTPResponse: Sendable, Equatable {
    struct Field: Sendable, Hashable {
        var name: String
        var value: String
    }

    var version = ""
    var status = 0
    var reason = ""
    var fields: [Field] = []
    var body: [UInt8] = []
    /// Whether the response ended where its framing says.
    var isComplete = false
    var isChunked = false

    var text: String { String(decoding: body, as: UTF8.self) }

    /// The value of the only field of that name; nil when there is none or more than one.
    func value(_ name: String) -> String? {
        let found = values(name)
        return found.count == 1 ? found[0] : nil
    }

    func values(_ name: String) -> [String] {
        fields.filter { $0.name.lowercased() == name.lowercased() }.map(\.value)
    }

    /// Names in lower case with their values, sorted, without the named ones.
    func fieldSet(without names: Set<String> = []) -> [String] {
        fields.filter { !names.contains($0.name.lowercased()) }
            .map { "\($0.name.lowercased()): \($0.value)" }.sorted()
    }

    /// Reads the head in `bytes`, which ends with the blank line; nil when it is not one.
    static func head(_ bytes: ArraySlice<UInt8>) -> HTTPResponse? {
        var lines = String(decoding: bytes, as: UTF8.self).components(separatedBy: "\r\n")
        guard lines.count >= 3, lines.suffix(2) == ["", ""] else { return nil }
        lines.removeLast(2)
        let first = lines.removeFirst().split(
            separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
        guard first.count >= 2, first[0].hasPrefix("HTTP/1."), let status = Int(first[1]) else {
            return nil
        }
        var response = HTTPResponse()
        response.version = String(first[0])
        response.status = status
        response.reason = first.count == 3 ? String(first[2]) : ""
        for line in lines {
            guard let colon = line.firstIndex(of: ":") else { return nil }
            let value = line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
            response.fields.append(Field(name: String(line[..<colon]), value: value))
        }
        return response
    }
}
