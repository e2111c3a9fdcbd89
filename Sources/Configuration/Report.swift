// Where complaints about a file are collected while it is read.
// SPDX-License-Identifier: Apache-2.0

/// A line and a column of the file, from 1.
struct Place: Hashable {
    var line = 1
    var column = 1
}

/// The errors found so far. Reading goes on after each, so that one look shows them all.
final class Report {
    /// Beyond so many nobody reads them.
    static let limit = 100

    private let file: String
    private let lines: Int
    private var errors: [ConfigurationError] = []

    init(file: String, lines: Int) {
        self.file = file
        self.lines = lines
    }

    /// Nothing more will be taken.
    var isFull: Bool { errors.count >= Self.limit }

    func add(
        at place: Place, found: String, expected: String,
        suggestion: @autoclosure () -> String? = nil
    ) {
        guard !isFull else { return }
        // libyaml puts what is missing at the end of the file on the line after the last.
        let line = min(max(1, place.line), max(1, lines))
        let error = ConfigurationError(
            file: file, line: line, column: max(1, place.column), found: found,
            expected: expected, suggestion: suggestion())
        // An alias is read as often as it is used, and is wrong in one place.
        if !errors.contains(error) { errors.append(error) }
    }

    /// What was found, in the order of the file; nil when nothing was.
    var result: ConfigurationErrors? {
        guard !errors.isEmpty else { return nil }
        let sorted = errors.sorted { ($0.line, $0.column) < ($1.line, $1.column) }
        return ConfigurationErrors(all: sorted)
    }
}
