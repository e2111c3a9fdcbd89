// A descriptor by which one thread wakes another that waits in a poller.
// SPDX-License-Identifier: Apache-2.0

import CPlatform
import Glibc

/// An eventfd (man 2 eventfd): in an edge-triggered poller each `signal` wakes one waiting thread.
package struct EventCounter: ~Copyable, Sendable {
    package let descriptor: Descriptor

    package init() throws(SystemError) {
        descriptor = Descriptor(owning: try retrying("eventfd") { cplatform_eventfd() })
    }

    /// Never waits: a counter at its limit is readable anyhow.
    package func signal() {
        var one: UInt64 = 1
        _ = Glibc.write(descriptor.number, &one, 8)
    }

    /// How often it was signalled since the last call.
    package func take() -> UInt64 {
        var count: UInt64 = 0
        return Glibc.read(descriptor.number, &count, 8) == 8 ? count : 0
    }
}
