// What the process that loads an extension says of one that can be used.
// SPDX-License-Identifier: Apache-2.0

import Platform

/// What `mortise probe` and `mortise inspect-child` say of an extension that can be used, as a byte on a
/// pipe of its own; without one it cannot be used, and the last line of the output says why.
///
/// It is said before TerminateExtension is called, whose faults are none of loading. No exit code says it,
/// because a library may end the process with any.
package enum ProbeAnswer: UInt8, Sendable, CaseIterable {
    case declaresNotThreadSafe = 10
    case declaresNothing = 11
    case declaresThreadSafe = 12

    /// The pipe in the process that loads.
    private static let descriptor: Int32 = 3

    /// Says it to whoever has started this process.
    package func tell() {
        // Without a reader nobody wants to know.
        withUnsafeBytes(of: rawValue) { byte in _ = try? Files.writeAll(Self.descriptor, byte) }
    }
}
