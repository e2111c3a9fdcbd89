// What is wrong with a message.
// SPDX-License-Identifier: Apache-2.0

/// Bytes that are no message: their sender is broken or hostile.
package enum ControlError: Error, Equatable, CustomStringConvertible {
    /// Ends too early, too late, or holds a value that does not exist.
    case malformed
    /// The wrong number of descriptors came with the message.
    case descriptors(expected: Int, found: Int)

    package var description: String {
        switch self {
        case .malformed: "malformed control message"
        case .descriptors(let expected, let found):
            "control message with \(found) descriptors instead of \(expected)"
        }
    }
}
