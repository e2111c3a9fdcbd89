// Runs of memory compared the way the C library does it.
// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Whether two runs of that many bytes are the same (man 3 memcmp).
package func isSame(
    _ left: UnsafeRawPointer, _ right: UnsafeRawPointer?, _ count: Int
) -> Bool {
    guard count > 0 else { return true }
    guard let right else { return false }
    return memcmp(left, right, count) == 0
}

/// The bytes before the first NUL, at most so many, which are all that is read (man 3 strnlen).
package func boundedLength(_ start: UnsafePointer<CChar>, most: Int) -> Int {
    strnlen(start, most)
}
