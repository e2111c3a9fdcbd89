// The slots for connections.
// SPDX-License-Identifier: Apache-2.0

import Configuration
import Synchronization
import Platform
import Synchronization

/// A fixed number of slots, made once and never freed.
final class ConnectionTable: @unchecked Sendable {
    // because `slots` is filled before the first thread starts and never changes afterwards

    private var slots: [Connection] = []
    private let capacity: Int
    private let free: Mutex<[Int32]>
    /// Slots from here on have never held a connection.
    private let used = Atomic<Int>(0)

    init(capacity: Int) {
        self.capacity = capacity
        free = Mutex((0..<Int32(clamping: capacity)).reversed())
    }

    func fill(for server: HostServer) {
        slots = (0..<capacity).map { Connection(slot: $0, server: server) }
    }

    subscript(slot: Int) -> Connection { slots[slot] }

    /// An event of the connection in that slot. Not counted: slots are never freed.
    func ready(
        _ slot: Int, on thread: PoolThread, generation: UInt32, hasEnded: Bool
    ) {
        Unmanaged.passUnretained(slots[slot])._withUnsafeGuaranteedRef {
            $0.ready(on: thread, generation: generation, hasEnded: hasEnded)
        }
    }

    /// The number of open connections.
    var count: Int { capacity - free.withLock { $0.count } }

    var hasRoom: Bool { free.withLock { !$0.isEmpty } }

    func take() -> Connection? {
        let slot = free.withLock { free -> Int32? in
            guard let slot = free.popLast() else { return nil }
            if Int(slot) >= used.load(ordering: .relaxed) {
                used.store(Int(slot) + 1, ordering: .relaxed)
            }
            return slot
        }
        return slot.map { slots[Int($0)] }
    }

    func give(_ connection: Connection) {
        free.withLock { $0.append(Int32(connection.slot)) }
    }

    /// Calls `body` with every slot that has ever held a connection.
    func visit(_ body: (Connection) -> Void) {
        for slot in 0..<used.load(ordering: .relaxed) { body(slots[slot]) }
    }

    /// The connection that has waited the longest for another request: its deadline is the nearest.
    func oldestIdle() -> Connection? {
        var oldest: Connection?
        var nearest = Int64.max
        for slot in slots[..<used.load(ordering: .relaxed)]
        where slot.isIdle.load(ordering: .relaxed) && slot.isAtRest {
            let deadline = slot.deadline.load(ordering: .relaxed)
            if deadline < nearest {
                nearest = deadline
                oldest = slot
            }
        }
        return oldest
    }
}
