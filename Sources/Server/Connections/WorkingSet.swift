// The memory that a connection works with while something is going on.
// SPDX-License-Identifier: Apache-2.0

import Exchange
import Handlers
import Platform
import Synchronization

/// Buffers, parser, exchange and response stream of one active HTTP/1 connection. An idle connection has
/// none of it; one after the other uses the same.
final class WorkingSet {
    let exchange: Exchange
    let response: HTTP1Response
    var input = InputBuffer()
    var parser: RequestParser
    /// Who is to answer the request; not counted, for mappings live as long as the host.
    var mapping: Unmanaged<RoutedMapping>?

    init(limits: RequestLimits, errorLog: ErrorLog) {
        let request = Request()
        response = HTTP1Response(request: request)
        exchange = Exchange(request: request, response: response, errorLog: errorLog)
        parser = RequestParser(limits: limits)
    }

    func begin(_ connection: Connection) {
        exchange.begin(
            runner: connection, remote: connection.remote, local: connection.local)
        response.begin(connection.output)
    }

    /// Lets go of the connection.
    func end() {
        exchange.end()
        response.end()
        response.reset()
        input.removeAll()
        parser.reset()
    }

    /// Forgets one exchange before the next on the same connection.
    func reset() {
        exchange.reset()
        response.reset()
        mapping = nil
    }
}

/// Working sets that nobody uses now; each thread keeps one of its own besides.
final class WorkingSetCache: Sendable {
    private struct Spares: @unchecked Sendable {
        // because nobody else uses what is in the cache
        var sets: [WorkingSet] = []
    }

    private struct Loan: @unchecked Sendable {
        // because one connection at a time uses a set
        let set: WorkingSet
    }

    private let spares = Mutex(Spares())
    private let make: @Sendable () -> WorkingSet

    /// More than these are given back to the system.
    private static let most = 256

    init(make: @escaping @Sendable () -> WorkingSet) { self.make = make }

    func take() -> WorkingSet {
        let spare = spares.withLock { spares in spares.sets.popLast().map(Loan.init) }
        return spare?.set ?? make()
    }

    func give(_ set: WorkingSet) {
        let loan = Loan(set: set)
        spares.withLock { spares in
            if spares.sets.count < Self.most { spares.sets.append(loan.set) }
        }
    }
}
