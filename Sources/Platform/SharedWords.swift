// Numbers that two processes see.
// SPDX-License-Identifier: Apache-2.0

import CPlatform
import Glibc
import Synchronization

/// An unnamed file in memory as a row of 64-bit words, mapped into this process.
///
/// One process maps the file and writes; another reads it with `SharedWords.read`, which survives whatever
/// the first one does to it. A process that maps a file which somebody else cuts dies of SIGBUS.
package final class SharedWords: @unchecked Sendable {
    // because every access to the memory is atomic, and it stays mapped as long as this object lives

    package let count: Int
    private let words: UnsafeMutablePointer<Atomic<UInt64>>

    /// A file of `count` words, all 0.
    package static func makeFile(named name: String, count: Int) throws(SystemError) -> Descriptor {
        try Files.memory(named: name, size: count * 8)
    }

    /// Maps a file that `makeFile` has made with the same count.
    package init(mapping file: Int32, count: Int) throws(SystemError) {
        let status = try Files.status(file)
        guard status.size == Int64(count * 8) else { throw SystemError("mmap", code: EINVAL) }
        guard
            let address = mmap(nil, count * 8, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0),
            address != UnsafeMutableRawPointer(bitPattern: -1)
        else { throw .last("mmap") }
        self.count = count
        // A new file holds zeros, which is what an atomic 0 looks like.
        words = address.bindMemory(to: Atomic<UInt64>.self, capacity: count)
    }

    deinit { munmap(words, count * 8) }

    package func store(_ value: UInt64, at index: Int) {
        precondition(index >= 0 && index < count, "a word beyond the page")
        words[index].store(value, ordering: .relaxed)
    }

    package func add(_ value: UInt64, at index: Int) {
        precondition(index >= 0 && index < count, "a word beyond the page")
        words[index].wrappingAdd(value, ordering: .relaxed)
    }

    /// The words of a file as they are now; 0 for those it does not hold any more.
    package static func read(_ file: Int32, count: Int) -> [UInt64] {
        var words = [UInt64](repeating: 0, count: count)
        _ = words.withUnsafeMutableBytes { try? Files.read(file, into: $0, at: 0) }
        return words
    }
}
