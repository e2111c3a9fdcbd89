// When a pool's processes are replaced for having served enough.
// SPDX-License-Identifier: Apache-2.0

extension Settings.Pool {
    /// The variable by which php-cgi ends itself after so many requests (500 without it).
    package static let ownLimitVariable = "PHP_FCGI_MAX_REQUESTS"

    /// Requests after which the server replaces a process; 0: never.
    ///
    /// Rationale: a limit that the operator gave php-cgi itself counts like one of ours, because a process
    /// that is replaced between two requests loses none, and one that ends by itself may.
    package var requestsPerProcess: Int {
        let own = environment.last { $0.name == Self.ownLimitVariable }.flatMap { Int($0.value) }
        guard let own, own > 0 else { return maxRequests }
        return maxRequests > 0 ? min(maxRequests, own) : own
    }
}
