// What the process that loads an extension says by its exit code.
// SPDX-License-Identifier: Apache-2.0

/// The exit codes of `mortise probe` and `mortise inspect-child` for an extension that can be used; any
/// other end means that it cannot, and the last line of the output says why.
///
/// None is 0, because a library may call exit(0) while it is loaded.
package enum ProbeAnswer: Int32, Sendable, CaseIterable {
    case declaresNotThreadSafe = 10
    case declaresNothing = 11
    case declaresThreadSafe = 12
}
