// Words for the person at the terminal.
// SPDX-License-Identifier: Apache-2.0

import Platform

enum Terminal {
    /// A line on standard error; lost when nobody reads it.
    static func complain(_ text: String) {
        let bytes = Array("\(text)\n".utf8)
        bytes.withUnsafeBytes { bytes in _ = try? Files.writeAll(2, bytes) }
    }

    /// A line on standard output; lost when nobody reads it.
    static func say(_ text: String) {
        let bytes = Array("\(text)\n".utf8)
        bytes.withUnsafeBytes { bytes in _ = try? Files.writeAll(1, bytes) }
    }
}
