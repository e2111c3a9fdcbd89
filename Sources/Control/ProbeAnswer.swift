// What the process that loads an extension says of one that can be used.
// SPDX-License-Identifier: Apache-2.0

import Platform

/// What `mortise probe` and `mortise inspect-child` say of an extension that can be used, as a byte on a
/// pipe of its own; without one it cannot be used, and the last line of the output says why.
///
/// Before it, and before any code of the extension runs, comes a line with the name of the copy that is loaded,
/// empty when there is none.
///
/// It is said before TerminateExtension is called, whose faults are none of loading. No exit code says it,
/// because a library may end the process with any.
package enum ProbeAnswer: UInt8, Sendable, CaseIterable {
    case declaresNotThreadSafe = 10
    case declaresNothing = 11
    case declaresThreadSafe = 12

    /// The pipe in the process that loads.
    private static let descriptor: Int32 = 3

    /// Says which copy is about to be loaded.
    package static func begin(copy: String?) {
        let line = Array("\(copy ?? "")\n".utf8)
        line.withUnsafeBytes { line in _ = try? Files.writeAll(descriptor, line) }
    }

    /// What was said on the pipe in the end.
    package static func read(_ bytes: [UInt8]) -> (copy: String?, answer: ProbeAnswer?) {
        guard let end = bytes.firstIndex(of: UInt8(ascii: "\n")) else { return (nil, nil) }
        let name = String(decoding: bytes[..<end], as: UTF8.self)
        let copy = name.isEmpty || name.contains("/") || name.hasPrefix(".") ? nil : name
        return (copy, bytes[(end + 1)...].first.flatMap { ProbeAnswer(rawValue: $0) })
    }

    /// Says it to whoever has started this process.
    package func tell() {
        // Without a reader nobody wants to know.
        withUnsafeBytes(of: rawValue) { byte in _ = try? Files.writeAll(Self.descriptor, byte) }
    }
}
