// Working sets that wait for a connection.
// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Those of HTTP/1 that nobody uses now; each thread keeps one of its own besides.
final class WorkingSetCache: Sendable {
    private struct Spares: @unchecked Sendable {
        // because nobody else uses what is in the cache
        var sets: [HTTP1WorkingSet] = []
    }

    private struct Loan: @unchecked Sendable {
        // because one connection at a time uses a set
        let set: HTTP1WorkingSet
    }

    private let spares = Mutex(Spares())
    private let make: @Sendable () -> HTTP1WorkingSet

    /// More than these are given back to the system.
    private static let most = 256

    init(make: @escaping @Sendable () -> HTTP1WorkingSet) { self.make = make }

    func take() -> HTTP1WorkingSet {
        let spare = spares.withLock { spares in spares.sets.popLast().map(Loan.init) }
        return spare?.set ?? make()
    }

    func give(_ set: HTTP1WorkingSet) {
        let loan = Loan(set: set)
        spares.withLock { spares in
            if spares.sets.count < Self.most { spares.sets.append(loan.set) }
        }
    }
}
