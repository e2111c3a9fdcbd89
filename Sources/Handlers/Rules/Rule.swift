// What looks at an exchange before its handler does.
// SPDX-License-Identifier: Apache-2.0

/// What a rule says of an exchange.
package enum Verdict: Sendable {
    case allow
    /// The rule has answered it.
    case answered
}

/// Looks at an exchange whose head is complete and whose site is known. Any thread calls.
package protocol Rule: AnyObject, Sendable {
    func check(_ exchange: Exchange) -> Verdict
}
