// Scripts as a handler of the site.
// SPDX-License-Identifier: Apache-2.0

extension CGIHandler: Handler {
    package func answer(_ exchange: Exchange) -> Answer {
        if case .redirect(let path) = run(exchange) { return .redirect(to: path) }
        return .done
    }
}
