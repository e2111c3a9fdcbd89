// What ConnID is.
// SPDX-License-Identifier: Apache-2.0

import CISAPI

/// ConnID: a number that is no address of this process, so that following it cannot do harm unseen.
enum Handle {
    /// No user-space address has the highest bit set, on x86-64 and aarch64.
    static let mark: UInt = 1 << 63
    private static let indexBits: UInt = 20

    static func bits(index: Int, generation: UInt64) -> UInt {
        mark | UInt(generation) << indexBits | UInt(index)
    }

    static func make(index: Int, generation: UInt64) -> HCONN? {
        HCONN(bitPattern: bits(index: index, generation: generation))
    }

    static func index(_ handle: UInt) -> Int { Int(handle & (1 << indexBits - 1)) }
    static func generation(_ handle: UInt) -> UInt64 { UInt64((handle & ~mark) >> indexBits) }
}
