// A lock for a handful of instructions.
// SPDX-License-Identifier: Apache-2.0

import CPlatform
import Synchronization

/// Guards a section that neither calls out, waits nor allocates more than a buffer's growth. One atomic
/// step to enter and a plain store to leave; who finds it taken yields the processor until it is free.
package struct ShortLock: ~Copyable, Sendable {
    private let isTaken = Atomic<Bool>(false)

    package init() {}

    @inline(__always)
    package borrowing func withLock<Result>(_ body: () -> Result) -> Result {
        while isTaken.exchange(true, ordering: .acquiring) { cplatform_yield() }
        defer { isTaken.store(false, ordering: .releasing) }
        return body()
    }
}
