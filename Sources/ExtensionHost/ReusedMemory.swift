// Memory that extensions see, one request after the other.
// SPDX-License-Identifier: Apache-2.0

/// A run of bytes that is written anew for each request, and in which nothing of an earlier one is left:
/// whatever lies behind the bytes in use is zero.
///
/// Never freed: an extension that reads it after its request has ended reads something stale, and touches
/// nothing that became another part of the program. Growing doubles, so what is left behind stays smaller
/// than what is in use.
struct ReusedMemory {
    private var start: UnsafeMutableRawPointer?
    private var size = 0
    private var used = 0

    /// At least so many bytes. Only `use` says how many of them were written.
    mutating func room(_ count: Int) -> UnsafeMutableRawBufferPointer {
        if size < count || start == nil {
            size = max(256, size * 2, count)
            start = .allocate(byteCount: size, alignment: 16)
            start.unsafelyUnwrapped.initializeMemory(as: UInt8.self, repeating: 0, count: size)
            used = 0
        }
        return UnsafeMutableRawBufferPointer(start: start, count: size)
    }

    /// The first bytes of `room` are written; clears what an earlier request wrote behind them.
    mutating func use(_ count: Int) {
        if count < used, let start {
            (start + count).initializeMemory(as: UInt8.self, repeating: 0, count: used - count)
        }
        used = count
    }
}
