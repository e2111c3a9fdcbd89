// When processes are replaced though nothing is wrong with them yet.
// SPDX-License-Identifier: Apache-2.0

extension Settings {
    /// `recycle:`, of the host and of a pool: what a process may reach before another takes its place.
    package struct Recycling: Sendable, Equatable {
        /// Seconds of its life; 0 = any.
        package var after = 0.0
        /// Minutes after midnight, local time, ascending; a process from before them is replaced.
        package var at: [Int] = []
        /// Bytes in memory, all and those that it shares with nobody; 0 = any.
        package var memory: Int64 = 0
        package var privateMemory: Int64 = 0
        /// Open descriptors; 0 = any.
        package var descriptors = 0
        package init() {}
    }
}

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
