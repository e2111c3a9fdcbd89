// Signals as something to read, and the numbers this program uses.
// SPDX-License-Identifier: Apache-2.0

import CPlatform
import Glibc

/// A descriptor from which blocked signals are read (man 2 signalfd).
///
/// Create it before any other thread exists: the signals are blocked in the calling thread and in those
/// it starts later.
package struct SignalDescriptor: ~Copyable {
    package let descriptor: Descriptor

    package init(_ signals: [Signal]) throws(SystemError) {
        let numbers = signals.map(\.rawValue)
        descriptor = Descriptor(
            owning: try retrying("signalfd") {
                cplatform_signal_descriptor(numbers, Int32(numbers.count))
            })
    }

    /// The next signal; nil when none waits. Several of one kind may have become one.
    package func next() -> Signal? {
        let number = cplatform_read_signal(descriptor.number)
        return number > 0 ? Signal(rawValue: number) : nil
    }
}
