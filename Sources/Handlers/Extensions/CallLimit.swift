// How many calls of one extension are under way at once.
// SPDX-License-Identifier: Apache-2.0

import Platform
import Synchronization

/// Lets so many calls in; what comes beside them waits in a row, without a thread, first come, first served.
///
/// So an extension that blocks or computes without end keeps some of the threads at most: the others serve
/// the rest of the site.
final class CallLimit: Sendable {
    /// What waits, and the row it waits in.
    private struct Row: @unchecked Sendable {
        // because it is used under its lock alone, and an exchange in it is nobody else's until it is resumed or
        // withdrawn
        var exchanges = Ring<(exchange: Exchange, since: Instant)>()
    }

    /// Exchanges that may wait, and for how many seconds: as for the workers of a pool.
    private static let longest = 1000
    private static let patience = 10.0

    let most: Int
    /// [any] Calls that are under way, and places that are passed on to who waits.
    private let running = Atomic<Int>(0)
    /// [any] How many wait.
    private let waiting = Atomic<Int>(0)
    private let row = Mutex(Row())

    init(most: Int) { self.most = most }

    enum Entry {
        /// The call may begin, and has a place until its turn is let go.
        case granted
        /// It waits, and is resumed with a turn or a refusal. It may have been by now.
        case parked
        case full
    }

    /// The exchange says already where it parks.
    func enter(_ exchange: Exchange) -> Entry {
        if running.add(1, ordering: .acquiringAndReleasing).newValue <= most { return .granted }
        let isParked = row.withLock { row -> Bool in
            guard row.exchanges.count < Self.longest else { return false }
            row.exchanges.append((exchange, CoarseClock.now))
            waiting.store(row.exchanges.count, ordering: .sequentiallyConsistent)
            return true
        }
        // The place that was one too many; whoever has left meanwhile did not see who waits.
        leave()
        return isParked ? .parked : .full
    }

    /// A call is over: its place goes to the one that has waited longest.
    func leave() {
        let left = running.subtract(1, ordering: .sequentiallyConsistent).newValue
        guard left < most, waiting.load(ordering: .sequentiallyConsistent) > 0 else { return }
        guard running.add(1, ordering: .sequentiallyConsistent).newValue <= most else {
            return leave()
        }
        let next = row.withLock { row in
            defer { waiting.store(row.exchanges.count, ordering: .sequentiallyConsistent) }
            return row.exchanges.popFirst()
        }
        guard let next else { return leave() }
        next.exchange.arrival = .turn(CallTurn(self))
        next.exchange.resume()
    }

    /// Its client has gone. False: a turn is arriving for it just now.
    func withdraw(_ exchange: Exchange) -> Bool {
        row.withLock { row in
            defer { waiting.store(row.exchanges.count, ordering: .sequentiallyConsistent) }
            return row.exchanges.removeFirst { $0.exchange === exchange }
        }
    }

    /// Who has waited too long is refused; called now and then.
    func expire(_ now: Instant) {
        guard waiting.load(ordering: .relaxed) > 0 else { return }
        let late = row.withLock { row -> [Exchange] in
            var late: [Exchange] = []
            while let first = row.exchanges.first,
                now >= first.since.adding(seconds: Self.patience)
            {
                late.append(row.exchanges.popFirst()!.exchange)
            }
            waiting.store(row.exchanges.count, ordering: .sequentiallyConsistent)
            return late
        }
        for exchange in late {
            exchange.arrival = .refusal(
                reason:
                    "waited \(Self.patience) s: \(most) calls of the extension are under way; find"
                    + " what holds them, or raise its concurrency", retryAfter: 1)
            exchange.resume()
        }
    }
}

/// A place among the calls of an extension. It cannot be forgotten: with it the place is given back.
package struct CallTurn: ~Copyable {
    // Not counted: limits live as long as the host.
    private let limit: Unmanaged<CallLimit>

    init(_ limit: CallLimit) { self.limit = .passUnretained(limit) }

    deinit { limit._withUnsafeGuaranteedRef { $0.leave() } }
}
