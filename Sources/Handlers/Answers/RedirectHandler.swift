// Another place.
// SPDX-License-Identifier: Apache-2.0

package import Exchange

/// Sends clients elsewhere.
package final class RedirectHandler: Handler {
    private let status: Int
    private let location: [UInt8]

    package init(status: Int, location: String) {
        self.status = status
        self.location = Array(location.utf8)
    }

    package func takesBody(of request: Request) -> Bool { false }

    package func answer(_ exchange: Exchange) -> Answer {
        let location = location
        exchange.redirect(status: status, location: location.span)
        return .done
    }
}
