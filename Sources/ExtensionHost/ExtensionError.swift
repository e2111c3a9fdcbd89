// Why an extension cannot be used, for the person who configured it.
// SPDX-License-Identifier: Apache-2.0

/// An extension that cannot be loaded: which, where, why, whose fault, and what to do.
package struct ExtensionError: Error, Equatable, CustomStringConvertible {
    package enum Blame: String, Sendable {
        /// The path or the settings are wrong.
        case configuration
        /// The file, or what it does, is wrong.
        case `extension`
        /// The system lacks something: memory, permissions, a library.
        case system
    }

    package let name: String
    package let path: String
    package let blame: Blame
    /// What was found, as a clause: "the file is empty".
    package let problem: String
    /// What a person can do about it.
    package let remedy: String

    package var description: String {
        "extension \(name) (\(path)): \(problem); \(remedy) [\(blame.rawValue)]"
    }
}
