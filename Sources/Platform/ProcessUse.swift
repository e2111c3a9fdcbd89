// What a process takes of the machine.
// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Memory and descriptors of a child, as /proc tells (man 5 proc).
///
/// Only of a child that has not been reaped: until then its number is nobody else's.
package struct ProcessUse: Sendable, Equatable {
    /// Bytes in memory, and those of them that no other process has.
    package var resident: Int64 = 0
    package var own: Int64 = 0
    package var descriptors = 0

    package init(resident: Int64 = 0, own: Int64 = 0, descriptors: Int = 0) {
        (self.resident, self.own, self.descriptors) = (resident, own, descriptors)
    }

    /// What is not asked for, or cannot be read, is 0.
    package init(of pid: Int32, memory: Bool, descriptors: Bool) {
        if memory { readMemory(pid) }
        if descriptors { self.descriptors = Self.countDescriptors(pid) }
    }

    /// /proc/pid/statm: size, resident and shared pages, and more.
    private mutating func readMemory(_ pid: Int32) {
        let file = open("/proc/\(pid)/statm", O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return }
        defer { close(file) }
        let line = withUnsafeTemporaryAllocation(byteCount: 256, alignment: 1) { room in
            let count = read(file, room.baseAddress!, room.count)
            return String(decoding: room.prefix(max(0, count)), as: UTF8.self)
        }
        let pages = line.split(separator: " ").compactMap { Int64($0) }
        guard pages.count >= 3 else { return }
        let page = Int64(sysconf(Int32(_SC_PAGESIZE)))
        resident = pages[1] * page
        own = max(0, pages[1] - pages[2]) * page
    }

    private static func countDescriptors(_ pid: Int32) -> Int {
        guard let folder = opendir("/proc/\(pid)/fd") else { return 0 }
        defer { closedir(folder) }
        var count = 0
        while readdir(folder) != nil { count += 1 }
        // "." and "..".
        return max(0, count - 2)
    }
}
