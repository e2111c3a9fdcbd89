// Bytes on their way to a file, in memory that outlives the process.
// SPDX-License-Identifier: Apache-2.0

import Glibc
import Synchronization

/// A ring of bytes in a file in memory, which one process fills and empties, and another one can read when
/// the first has died.
///
/// Its bytes are mapped twice in a row, so that whatever is added or waits is one run of memory. One thread
/// at a time adds, one thread at a time writes to a file what waits; neither waits for the other.
///
/// Three positions, which only grow, say what the file has, at every moment the process may die:
///
///     ... in the file ... | written ... being written ... | writing ... waiting ... | added
///
/// While `written` is less than `writing`, a write is under way: where the file ended before, which is said
/// first, tells whoever finds it whether that write has happened.
package final class SharedRing: @unchecked Sendable {
    // because the positions are atomic, and the bytes between them belong to one side or the other

    /// Bytes that a ring takes in its file before its own: a page of whatever size for the positions.
    private static let headerSize = 64 * 1024

    private enum Word: Int, CaseIterable {
        // A line of the cache each for those who add and those who write.
        case added = 0
        case written = 8
        case writing, fileEnd, lost
    }

    package let capacity: Int
    private let words: UnsafeMutablePointer<Atomic<UInt64>>
    private let bytes: UnsafeMutablePointer<UInt8>

    /// The room a ring takes in its file. Its capacity is a power of two, and at least 64 KiB.
    package static func size(capacity: Int) -> Int { headerSize + capacity }

    /// Maps the ring that begins there in a file that was all 0 when it was made.
    package init(mapping file: Int32, at offset: Int, capacity: Int) throws(SystemError) {
        precondition(capacity >= 64 * 1024 && capacity & (capacity - 1) == 0)
        let size = Self.size(capacity: capacity)
        let none = UnsafeMutableRawPointer(bitPattern: -1)
        // The second mapping of the bytes goes over the place that the first one has reserved.
        guard
            let start = mmap(
                nil, size + capacity, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0),
            start != none
        else { throw .last("mmap") }
        let access = PROT_READ | PROT_WRITE
        let flags = MAP_SHARED | MAP_FIXED
        let second = off_t(offset + Self.headerSize)
        guard mmap(start, size, access, flags, file, off_t(offset)) != none,
            mmap(start + size, capacity, access, flags, file, second) != none
        else {
            let error = SystemError.last("mmap")
            munmap(start, size + capacity)
            throw error
        }
        self.capacity = capacity
        words = start.bindMemory(to: Atomic<UInt64>.self, capacity: Word.allCases.count)
        bytes = (start + Self.headerSize).assumingMemoryBound(to: UInt8.self)
    }

    deinit { munmap(words, Self.size(capacity: capacity) + capacity) }

    private func load(_ word: Word) -> UInt64 { words[word.rawValue].load(ordering: .acquiring) }
    private func store(_ value: UInt64, _ word: Word) {
        words[word.rawValue].store(value, ordering: .releasing)
    }

    /// Bytes that are not in the file yet.
    package var count: Int { Int(load(.added) &- load(.written)) }

    // MARK: Adding

    /// Adds what `fill` writes, as a whole, if there is room for so many bytes; how many are waiting then.
    /// Nil: there is no room.
    @inline(__always)
    package func append(upTo most: Int, _ fill: (inout OutputSpan<UInt8>) -> Void) -> Int? {
        let added = words[Word.added.rawValue].load(ordering: .relaxed)
        let waiting = Int(added &- load(.written))
        guard capacity - waiting >= most else { return nil }
        let room = UnsafeMutableBufferPointer(
            start: bytes + Int(added) & (capacity - 1), count: most)
        var span = OutputSpan(buffer: room, initializedCount: 0)
        fill(&span)
        let count = span.finalize(for: room)
        store(added &+ UInt64(count), .added)
        return waiting + count
    }

    // MARK: Lost for want of room

    /// What was never added, and of which nobody has told yet. Any thread counts and takes.
    package var lost: Int { Int(clamping: load(.lost)) }
    package func countLost() {
        words[Word.lost.rawValue].wrappingAdd(1, ordering: .relaxed)
    }
    /// Who takes them tells of them.
    package func takeLost() -> Int {
        Int(clamping: words[Word.lost.rawValue].exchange(0, ordering: .relaxed))
    }

    // MARK: Writing

    /// What waits now. It stays where it is until `wrote`.
    package var waiting: UnsafeRawBufferPointer {
        let written = load(.written)
        return UnsafeRawBufferPointer(
            start: bytes + Int(written) & (capacity - 1), count: Int(load(.added) &- written))
    }

    /// The first bytes of `waiting` go to a file whose end is there; nil when it has none, as a pipe.
    package func willWrite(_ count: Int, fileEnd: Int64?) {
        store(UInt64(bitPattern: fileEnd ?? -1), .fileEnd)
        store(load(.written) &+ UInt64(count), .writing)
    }

    /// So many of them are in the file: less than was said when it took no more.
    package func wrote(_ count: Int) {
        let written = load(.written) &+ UInt64(count)
        // In this order: a write of so many bytes is still found as one that has happened.
        store(written, .writing)
        store(written, .written)
    }

    // MARK: After death

    /// What a ring holds whose process has died.
    package struct Rest: Sendable, Equatable {
        /// Bytes that no write has been finished for.
        package var bytes: [UInt8]
        /// How many of them were being written.
        package var beingWritten: Int
        /// Where the file ended before that; nil when it has no end.
        package var fileEnd: Int64?
        /// What was lost before, and not told of.
        package var lost: UInt64
    }

    /// Reads the ring in that file, whose process has ended and is not believed. Nil: its numbers, or the
    /// file, cannot be what a ring has left.
    package static func rest(in file: Int32, at offset: Int, capacity: Int) -> Rest? {
        var header = [UInt64](repeating: 0, count: Word.lost.rawValue + 1)
        guard header.withUnsafeMutableBytes({ read(file, into: $0, at: offset) }) else {
            return nil
        }
        let added = header[Word.added.rawValue]
        let written = header[Word.written.rawValue]
        let writing = header[Word.writing.rawValue]
        let fileEnd = Int64(bitPattern: header[Word.fileEnd.rawValue])
        guard written <= writing, writing <= added, added - written <= UInt64(capacity) else {
            return nil
        }
        var bytes = [UInt8](repeating: 0, count: Int(added - written))
        let start = Int(written % UInt64(capacity))
        let isWhole = bytes.withUnsafeMutableBytes { bytes in
            let first = min(bytes.count, capacity - start)
            let place = offset + headerSize
            return read(file, into: .init(rebasing: bytes[..<first]), at: place + start)
                && read(file, into: .init(rebasing: bytes[first...]), at: place)
        }
        guard isWhole else { return nil }
        return Rest(
            bytes: bytes, beingWritten: Int(writing - written),
            fileEnd: fileEnd < 0 ? nil : fileEnd, lost: header[Word.lost.rawValue])
    }

    private static func read(
        _ file: Int32, into room: UnsafeMutableRawBufferPointer, at offset: Int
    ) -> Bool {
        (try? Files.read(file, into: room, at: Int64(offset))) == room.count
    }
}
