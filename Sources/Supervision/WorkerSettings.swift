// How a worker gets its extension's settings.
// SPDX-License-Identifier: Apache-2.0

import Configuration
package import Platform

/// Settings travel in an unnamed file that the worker inherits: a password among them stands neither in the
/// arguments nor in the environment, which others may read (man 5 proc, /proc/pid/cmdline and environ).
package enum WorkerSettings {
    /// Where our own worker finds its page of faults, and its settings: the numbers of descriptors.
    static let faultPageVariable = "MORTISE_FAULT_PAGE"
    static let fileVariable = "MORTISE_SETTINGS_FILE"

    /// The calling process's page of faults, when it was started with one; taken as `take` takes settings.
    package static func takeFaultPage() -> Int32? {
        Environment.take(faultPageVariable).flatMap { Int32($0) }
    }

    /// The file for a start, which nobody can change: names and values, each ended by NUL, which is in none.
    static func file(_ settings: [Settings.Setting]) throws(SystemError) -> Descriptor {
        var bytes: [UInt8] = []
        for setting in settings {
            bytes += Array(setting.name.utf8) + [0] + Array(setting.value.utf8) + [0]
        }
        return try Files.sealedMemory(named: "mortise-settings", bytes)
    }

    /// Reads and closes the file of the calling process, so that no process it starts inherits it.
    /// Only while it has one thread (man 3 unsetenv).
    package static func take() throws(SystemError) -> [(name: String, value: String)] {
        guard let number = Environment.take(fileVariable).flatMap({ Int32($0) }) else { return [] }
        let file = Descriptor(owning: number)
        return pairs(try Files.contents(of: file.number))
    }

    static func pairs(_ bytes: [UInt8]) -> [(name: String, value: String)] {
        let texts = bytes.split(separator: 0, omittingEmptySubsequences: false).map {
            String(decoding: $0, as: UTF8.self)
        }
        return stride(from: 0, to: texts.count - 2, by: 2).map { (texts[$0], texts[$0 + 1]) }
    }
}
