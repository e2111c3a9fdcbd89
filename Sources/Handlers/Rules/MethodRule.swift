// Which methods there are.
// SPDX-License-Identifier: Apache-2.0

import Exchange

/// Methods that no handler sees: unknown ones (501), TRACE and CONNECT (405), and OPTIONS of the server.
package final class MethodRule: Rule {
    private static let methods: StaticString = "GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH"

    package init() {}

    package func check(_ exchange: Exchange) -> Verdict {
        let request = exchange.request
        switch request.method {
        case .unknown:
            request.refuseKeepAlive()
            exchange.refuse(status: 501)
        case .trace, .connect:
            request.refuseKeepAlive()
            exchange.refuse(status: 405, allow: Self.methods)
        case .options where request.isForServer:
            exchange.allow(Self.methods)
        default:
            return .allow
        }
        return .answered
    }
}
