// Bytes that have been written and not yet sent.
// SPDX-License-Identifier: Apache-2.0

import Platform
import Synchronization

/// A small buffer that the exchange's runner fills, so that a head and a small body travel together. Only
/// the runner adds to it and lends it memory; the sender takes what lies there for too long.
final class OutputBuffer: @unchecked Sendable {
    // because the lock guards the bytes

    private let lock = ShortLock()
    private var bytes: [UInt8] = []
    /// [any] Changed under the lock only, and the last thing that is changed there.
    private let hasBytes = Atomic<Bool>(false)

    var isEmpty: Bool { !hasBytes.load(ordering: .acquiring) }

    /// Adds bytes; how many lie there now.
    func append(_ fill: (inout [UInt8]) -> Void) -> Int {
        lock.withLock {
            fill(&bytes)
            hasBytes.store(true, ordering: .relaxed)
            return bytes.count
        }
    }

    /// Memory for the bytes, as long as the connection is active. Both ways nothing is in it.
    func lend(_ memory: inout [UInt8]) {
        guard isEmpty else { return }
        swap(&bytes, &memory)
    }

    /// Changes the bytes for the memory of `room`, which is empty.
    func take(into room: inout [UInt8]) {
        take(into: &room, unless: { false })
    }

    /// The same, unless something that is looked at under the lock forbids it.
    func take(into room: inout [UInt8], unless isForbidden: () -> Bool) {
        guard hasBytes.load(ordering: .relaxed) else { return }
        lock.withLock {
            // Another thread may have taken them just now.
            guard hasBytes.load(ordering: .relaxed), !isForbidden() else { return }
            swap(&bytes, &room)
            hasBytes.store(false, ordering: .releasing)
        }
    }
}
