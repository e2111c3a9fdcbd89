// C strings from an extension, never followed further than a bound.
// SPDX-License-Identifier: Apache-2.0

import CISAPI
import Platform
internal import Exchange

enum CText {
    static let longestLine = 64 * 1024
    static let longest = 16 << 20

    static func bytes(_ start: UnsafePointer<CChar>, most: Int) -> UnsafeBufferPointer<UInt8> {
        UnsafeBufferPointer(
            start: UnsafeRawPointer(start).assumingMemoryBound(to: UInt8.self),
            count: boundedLength(start, most: most))
    }

    static func bytes(_ start: UnsafeMutableRawPointer?, most: Int) -> UnsafeBufferPointer<UInt8>? {
        start.map { bytes(UnsafeRawPointer($0).assumingMemoryBound(to: CChar.self), most: most) }
    }

    /// A string with its length: it ends at its NUL or at the length, and 0 means that it was not counted.
    static func bytes(_ start: LPCSTR?, count: DWORD) -> UnsafeBufferPointer<UInt8>? {
        start.map { bytes($0, most: count == 0 ? longest : min(Int(count), longest)) }
    }

    static func hasUnicodePrefix(_ name: UnsafeBufferPointer<UInt8>) -> Bool {
        equalsIgnoringCase(name.span, 0, "unicode_")
    }
}
