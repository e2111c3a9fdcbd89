// The memory a control block points into.
// SPDX-License-Identifier: Apache-2.0

/// Strings and preloaded body of one slot's calls, one after the other.
///
/// Never freed: an extension that reads a string after its request has ended reads something stale, and
/// touches nothing that became somebody else's. Growing doubles, so what is left behind stays smaller
/// than what is in use.
struct CallMemory {
    /// The most of a body that lpbData holds: the default of UploadReadAheadSize.
    static let preloadSize = 48 * 1024

    private var strings: UnsafeMutablePointer<CChar>?
    private var stringsSize = 0
    private var body: UnsafeMutableRawPointer?

    mutating func copyStrings(_ bytes: [UInt8]) -> UnsafeMutablePointer<CChar> {
        if stringsSize < bytes.count || strings == nil {
            stringsSize = max(1024, stringsSize * 2, bytes.count)
            strings = .allocate(capacity: stringsSize)
        }
        bytes.withUnsafeBytes {
            UnsafeMutableRawPointer(strings!).copyMemory(from: $0.baseAddress!, byteCount: $0.count)
        }
        return strings!
    }

    /// Room for the preloaded body and the NUL behind it.
    mutating func preload() -> UnsafeMutableRawBufferPointer {
        if body == nil { body = .allocate(byteCount: Self.preloadSize + 1, alignment: 16) }
        return UnsafeMutableRawBufferPointer(start: body, count: Self.preloadSize + 1)
    }
}
