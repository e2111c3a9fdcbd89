// Bytes from a client before they are parsed: the one place where Server touches raw memory.
// SPDX-License-Identifier: Apache-2.0

import Platform

/// A buffer that a socket is received into and a parser reads from, without copying in between.
struct InputBuffer: ~Copyable {
    private var memory: UnsafeMutableRawBufferPointer
    private var start = 0
    private var end = 0

    static let initialSize = 8 * 1024
    /// Large enough for the largest head and for receiving bodies in few calls.
    static let largestSize = 128 * 1024

    init() {
        memory = .allocate(byteCount: Self.initialSize, alignment: 16)
    }

    deinit { memory.deallocate() }

    var count: Int { end - start }
    var isEmpty: Bool { start == end }

    /// The received bytes that have not been consumed.
    func withBytes<Result: ~Copyable, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(memory)[start..<end]))
    }

    /// The same as a span.
    func withSpan<Result: ~Copyable, Failure: Error>(
        _ body: (Span<UInt8>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let bytes = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(memory)[start..<end])
        return try body(bytes.bindMemory(to: UInt8.self).span)
    }

    mutating func consume(_ count: Int) {
        start += count
        precondition(start <= end, "more was consumed than received")
        if start == end {
            start = 0
            end = 0
        }
    }

    mutating func removeAll() {
        start = 0
        end = 0
        if memory.count > 64 * 1024 { resize(Self.initialSize) }
    }

    /// Receives what there is; `isDrained` is set when the socket had less than there was room for.
    ///
    /// A full buffer grows up to `largestSize`; the parser's limits end a head long before.
    mutating func receive(from transport: Transport, isDrained: inout Bool) -> Socket.Transfer {
        if start > 0 && end == memory.count { moveToFront() }
        if end == memory.count { resize(min(memory.count * 4, Self.largestSize)) }
        let room = UnsafeMutableRawBufferPointer(rebasing: memory[end...])
        guard room.count > 0 else { return .failed(0) }
        let result = transport.receive(into: room)
        if case .bytes(let count) = result {
            end += count
            isDrained = count < room.count
        } else {
            isDrained = true
        }
        return result
    }

    /// Makes room for bodies to be received in large pieces.
    mutating func growForBody() {
        if memory.count < 64 * 1024 { resize(64 * 1024) }
    }

    private mutating func moveToFront() {
        memory.copyMemory(from: UnsafeRawBufferPointer(rebasing: memory[start..<end]))
        end -= start
        start = 0
    }

    private mutating func resize(_ size: Int) {
        guard size != memory.count else { return }
        let larger = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 16)
        larger.copyMemory(from: UnsafeRawBufferPointer(rebasing: memory[start..<end]))
        memory.deallocate()
        memory = larger
        end -= start
        start = 0
    }
}
