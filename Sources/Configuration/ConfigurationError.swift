// What is wrong with a configuration, and where.
// SPDX-License-Identifier: Apache-2.0

/// One thing a configuration file says that cannot be meant.
///
///     site.yaml:12:5: found 'procesess', expected one of command, processes; did you mean 'processes'?
package struct ConfigurationError: Error, Equatable, CustomStringConvertible {
    /// The file as the operator named it.
    package var file: String
    /// From 1.
    package var line: Int
    /// From 1, in characters.
    package var column: Int
    package var found: String
    package var expected: String
    /// A word of the expected ones that is spelt nearly like the found one.
    package var suggestion: String?

    package var description: String {
        let question = suggestion.map { "; did you mean '\($0)'?" } ?? ""
        return "\(file):\(line):\(column): found \(found), expected \(expected)\(question)"
    }
}

/// Everything that is wrong with one file, in its order; at least one.
package struct ConfigurationErrors: Error, Equatable, CustomStringConvertible {
    package let all: [ConfigurationError]

    /// One line each.
    package var description: String { all.map(\.description).joined(separator: "\n") }
}
