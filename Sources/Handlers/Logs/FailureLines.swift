// What goes wrong again and again, in as many lines as a log can bear.
// SPDX-License-Identifier: Apache-2.0

import Platform

/// The failures of one pool or of one handler. Each is answered; the lines about them are limited, and the
/// next one that is logged tells how many were not.
package final class FailureLines: Sendable {
    private let limit = LineLimit(burst: 20, perSecond: 1)

    package init() {}

    /// Gives the exchange up like `Exchange.fail`, with or without a line.
    package func fail(
        _ exchange: Exchange, status: Int, reason: String, retryAfter: Int? = nil
    ) {
        guard exchange.response.isConnected else { return exchange.abandon() }
        guard let omitted = limit.admit(at: .now) else {
            return exchange.refuse(status: status, retryAfter: retryAfter)
        }
        exchange.failWithLine(
            status: status, reason: Self.text(reason, omitted: omitted), retryAfter: retryAfter)
    }

    /// A line about something that is not answered.
    func log(_ level: LogLevel, _ text: String, of exchange: Exchange) {
        guard let omitted = limit.admit(at: .now) else { return }
        exchange.log(level, Self.text(text, omitted: omitted))
    }

    private static func text(_ text: String, omitted: Int) -> String {
        omitted > 0 ? "\(text) (and \(omitted) more like it that were not logged)" : text
    }
}
