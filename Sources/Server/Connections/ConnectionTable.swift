// The slots for connections of one shard.
// SPDX-License-Identifier: Apache-2.0

import Platform
import Synchronization

/// A bounded number of slots, made when they are first needed and never freed, so that a late event finds
/// a slot, not a hole.
final class ConnectionTable: Sendable {
    let capacity: Int
    private nonisolated(unsafe) let slots: UnsafeMutablePointer<Unmanaged<Connection>>
    // because entries are written once, before `made` covers them, and never change
    private let made = Atomic<Int>(0)
    private let free = Mutex<[Int32]>([])
    private let open = Atomic<Int>(0)

    init(capacity: Int) {
        self.capacity = max(1, min(capacity, 1 << 28))
        slots = .allocate(capacity: self.capacity)
    }

    /// The number of open connections.
    var count: Int { open.load(ordering: .acquiring) }
    var hasRoom: Bool { count < capacity }

    // MARK: Events

    /// Runs what the event is for: the sender when the client takes bytes again, the connection for all else.
    func dispatch(_ token: UInt64, _ events: Poller.Events, on thread: ShardThread) {
        slot(token)._withUnsafeGuaranteedRef { $0.dispatch(token, events, on: thread) }
    }

    /// The same for whatever thread is free next.
    func requeue(_ token: UInt64, _ events: Poller.Events, on shard: Shard) {
        slot(token)._withUnsafeGuaranteedRef { $0.requeue(token, events) }
    }

    private func slot(_ token: UInt64) -> Unmanaged<Connection> { slots[Int(token & 0x3fff_ffff)] }

    /// The connection of a token; nil when it has ended.
    func connection(_ token: UInt64) -> Connection? {
        guard Int(token & 0x3fff_ffff) < made.load(ordering: .acquiring) else { return nil }
        let connection = slot(token).takeUnretainedValue()
        return connection.token == token ? connection : nil
    }

    // MARK: Slots

    func take(for shard: Shard) -> Connection? {
        let number = free.withLock { free -> Int? in
            if let number = free.popLast() { return Int(number) }
            let number = made.load(ordering: .relaxed)
            guard number < capacity else { return nil }
            (slots + number).initialize(
                to: .passRetained(Connection(slot: number, shard: shard)))
            made.store(number + 1, ordering: .releasing)
            return number
        }
        guard let number else { return nil }
        open.add(1, ordering: .relaxed)
        return slots[number].takeUnretainedValue()
    }

    func give(_ connection: Connection) {
        free.withLock { $0.append(Int32(truncatingIfNeeded: connection.slot)) }
        open.subtract(1, ordering: .releasing)
    }

    /// Gives back a slot that is not to be the next one taken: something of its last connection is still to
    /// be run.
    func giveLast(_ connection: Connection) {
        free.withLock { $0.insert(Int32(truncatingIfNeeded: connection.slot), at: 0) }
        open.subtract(1, ordering: .releasing)
    }

    /// Calls `body` with every slot that has ever held a connection.
    func visit(_ body: (Connection) -> Void) {
        for slot in 0..<made.load(ordering: .acquiring) {
            slots[slot]._withUnsafeGuaranteedRef { body($0) }
        }
    }

    /// An idle connection, and since when it waits for another request.
    struct Idle {
        var connection: Connection
        var since: Int64
    }

    /// The connection that has waited the longest, of those that come after that one.
    func longestIdle(after last: Idle?) -> Idle? {
        var longest: Idle?
        visit { connection in
            let since = connection.idleSince.load(ordering: .relaxed)
            guard since != 0 else { return }
            let place = (since, connection.slot)
            if let last, place <= (last.since, last.connection.slot) { return }
            if let longest, place >= (longest.since, longest.connection.slot) { return }
            longest = Idle(connection: connection, since: since)
        }
        return longest
    }
}
