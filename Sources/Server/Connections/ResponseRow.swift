// What of a response the kernel has not taken, in order.
// SPDX-License-Identifier: Apache-2.0

import Platform

/// A row of memory and file ranges: appended at the end, taken from the front. A value; who uses it locks.
struct ResponseRow {
    /// Part of an open file.
    struct FileRange {
        var file: Int32
        var offset: Int64
        var left: Int64
        /// Of the response's own spool; nil: the file is closed when the range has been sent.
        var half: Int?
        /// Bytes of the range when it was taken.
        var length: Int64
    }

    enum Piece {
        case bytes([UInt8])
        case file(FileRange)
    }

    /// In order; `tail` comes behind them.
    private var pieces: [Piece] = []
    private var tail: [UInt8] = []
    /// Bytes in memory that the kernel has not taken, those in the sender's hands included.
    private(set) var unsent = 0
    var spool = ResponseSpool()

    var isEmpty: Bool { pieces.isEmpty && tail.isEmpty }

    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        tail.append(contentsOf: bytes)
        unsent += bytes.count
    }

    mutating func append(_ range: FileRange) {
        guard range.left > 0 else { return }
        if !tail.isEmpty {
            pieces.append(.bytes(tail))
            tail = []
        }
        if let half = range.half, case .file(var last)? = pieces.last, last.half == half,
            last.offset + last.left == range.offset
        {
            last.left += range.left
            last.length += range.left
            pieces[pieces.count - 1] = .file(last)
        } else {
            pieces.append(.file(range))
        }
    }

    /// The first piece; memory goes into `buffer`, which is empty and is used again.
    mutating func takeFirst(_ buffer: inout [UInt8]) -> Taken {
        if pieces.isEmpty {
            guard !tail.isEmpty else { return .nothing }
            swap(&tail, &buffer)
            return .memory
        }
        switch pieces.removeFirst() {
        case .bytes(let bytes):
            buffer = bytes
            return .memory
        case .file(let range):
            return .file(range)
        }
    }

    enum Taken {
        case nothing, memory
        case file(FileRange)
    }

    /// The sender has come to bytes that never stood in the row: they count as if they had.
    mutating func adopt(_ count: Int) { unsent += count }

    /// The kernel has taken bytes of memory.
    mutating func sent(_ count: Int) { unsent -= count }

    /// Forgets all; gives the descriptors that somebody has to close.
    mutating func removeAll() -> [Int32] {
        let files = pieces.compactMap { piece -> Int32? in
            guard case .file(let range) = piece, range.half == nil else { return nil }
            return range.file
        }
        pieces = []
        tail = []
        unsent = 0
        return files
    }
}
