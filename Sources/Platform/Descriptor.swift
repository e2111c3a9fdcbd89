// An open file descriptor with one owner.
// SPDX-License-Identifier: Apache-2.0

import Glibc

/// An open file descriptor that is closed when its owner goes away (man 2 close).
///
/// Passing it on is `consuming`; `take()` gives the number to somebody who closes it himself.
package struct Descriptor: ~Copyable, Sendable {
    package let number: Int32

    /// Takes ownership of an open descriptor.
    package init(owning number: Int32) { self.number = number }

    deinit { _ = Glibc.close(number) }

    /// Gives up ownership: the caller closes the number.
    package consuming func take() -> Int32 {
        let number = self.number
        discard self
        return number
    }

    /// A second descriptor of the same open file, close-on-exec.
    package func duplicate() throws(SystemError) -> Descriptor {
        let number = self.number
        return Descriptor(owning: try retrying("fcntl") { fcntl(number, F_DUPFD_CLOEXEC, 3) })
    }
}
