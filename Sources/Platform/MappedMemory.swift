// Asks about memory without touching it.
// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Asks about memory without touching it.
package enum MappedMemory {
    /// Whether every page of the range belongs to this process (man 2 mincore).
    ///
    /// Guards against a wild length before it is followed; it cannot see whether a page may be read.
    package static func contains(_ start: UnsafeRawPointer, count: Int) -> Bool {
        let page = UInt(max(4096, sysconf(Int32(_SC_PAGESIZE))))
        let first = UInt(bitPattern: start) & ~(page - 1)
        let (end, overflow) = UInt(bitPattern: start).addingReportingOverflow(UInt(count))
        guard !overflow else { return false }
        var next = first
        return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 4096) { residency in
            while next < end {
                let length = min(end - next, 4096 * page)
                let address = UnsafeMutableRawPointer(bitPattern: next)
                guard mincore(address, Int(length), residency.baseAddress) == 0 else {
                    return false
                }
                next += length
            }
            return true
        }
    }
}
