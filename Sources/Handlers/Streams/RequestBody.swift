// A request's body, received before its handler runs: in memory when small, else in an unnamed file.
// SPDX-License-Identifier: Apache-2.0

package import Platform

/// The body of one request. A slow client holds this, never a worker and never a thread.
package struct RequestBody: ~Copyable {
    /// Bytes received so far; once the handler runs, the body's length.
    package private(set) var length: Int64 = 0
    /// The whole body while `file` is nil.
    package private(set) var memory: [UInt8] = []
    private var spool: Descriptor?
    private var readOffset: Int64 = 0

    init() {}

    /// The file that holds the whole body from its beginning; nil when it is in memory.
    package var file: Int32? {
        switch spool {
        case .some(let descriptor): descriptor.number
        case nil: nil
        }
    }

    /// Adds received bytes; beyond `memoryLimit` they go to a file in `folder`. ENOSPC and the like.
    package mutating func append(
        _ bytes: UnsafeRawBufferPointer, memoryLimit: Int, folder: String
    ) throws(SystemError) {
        if file == nil && memory.count + bytes.count > memoryLimit {
            let opened = try Files.open(folder, [.readWrite, .unnamed])
            try Files.writeAll(opened.number, memory.span.bytes)
            memory.removeAll(keepingCapacity: true)
            spool = consume opened
        }
        if let file {
            try Files.writeAll(file, bytes)
        } else {
            memory.append(contentsOf: bytes)
        }
        length += Int64(bytes.count)
    }

    /// The next bytes after those read before; 0 at the end, -1 when the file cannot be read.
    package mutating func read(into room: UnsafeMutableRawBufferPointer) -> Int {
        let left = length - readOffset
        let count = Int(min(Int64(room.count), left))
        guard count > 0 else { return 0 }
        if let file {
            let part = UnsafeMutableRawBufferPointer(rebasing: room[..<count])
            guard let got = try? Files.read(file, into: part, at: readOffset) else { return -1 }
            readOffset += Int64(got)
            return got
        }
        let start = Int(readOffset)
        memory.withUnsafeBytes { room.copyMemory(from: .init(rebasing: $0[start..<start + count])) }
        readOffset += Int64(count)
        return count
    }

    /// Reads from the beginning again.
    package mutating func rewind() { readOffset = 0 }

    /// Forgets the body; keeps the memory.
    package mutating func reset() {
        guard length > 0 else { return }
        length = 0
        readOffset = 0
        memory.removeAll(keepingCapacity: true)
        spool = nil
    }
}
