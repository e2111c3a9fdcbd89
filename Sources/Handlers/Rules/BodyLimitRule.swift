// How long a body may be.
// SPDX-License-Identifier: Apache-2.0

import Exchange

/// Refuses a body that says it is too long before a byte of it is received (413), and ends the connection on
/// which it would come (RFC 9110 §15.5.14).
package final class BodyLimitRule: Rule {
    private let limit: Int64

    package init(limit: Int64) { self.limit = limit }

    package func check(_ exchange: Exchange) -> Verdict {
        guard let length = exchange.request.contentLength, length > limit else { return .allow }
        exchange.request.refuseKeepAlive()
        exchange.refuse(status: 413)
        return .answered
    }
}
