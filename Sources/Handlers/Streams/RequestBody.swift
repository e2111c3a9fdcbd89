// A request's body: where it comes from, and where it is kept until its handler reads it.
// SPDX-License-Identifier: Apache-2.0

package import Exchange
package import Platform

/// The body of one request, received before its handler runs: in memory when small, else in an unnamed
/// file. A slow client holds this, never a worker and never a thread.
package struct RequestBody: ~Copyable {
    package struct Limits: Sendable {
        /// Bytes of a body; 413 beyond.
        package var total: Int64
        /// Bytes of a body in memory; more goes to a file in `folder`.
        package var memory: Int
        package var folder: String
        /// What all bodies and responses in files may hold together; 507 beyond.
        package var spool: ByteBudget

        package init(total: Int64, memory: Int, folder: String, spool: ByteBudget) {
            self.total = total
            self.memory = memory
            self.folder = folder
            self.spool = spool
        }
    }

    /// What received bytes came to.
    package enum Receipt: Equatable, Sendable {
        case incomplete
        case complete
        /// The request cannot be answered: 400, 413 or 507.
        case refused(status: Int)
        /// The body cannot be kept, and why.
        case unkept(SystemError)
    }

    /// Where the end of the body is known from.
    private enum Framing {
        case length(left: Int64)
        case chunks
    }

    /// Bytes received so far; once the handler runs, the body's length.
    package private(set) var length: Int64 = 0
    /// The whole body while `file` is nil.
    package private(set) var memory: [UInt8] = []
    private var framing = Framing.length(left: 0)
    private var decoder = ChunkedDecoder()
    private var spool: Descriptor?
    private var spooled: Int64 = 0
    private var budget: ByteBudget?
    private var readOffset: Int64 = 0

    init() {}

    /// The file that holds the whole body from its beginning; nil when it is in memory.
    package var file: Int32? {
        switch spool {
        case .some(let descriptor): descriptor.number
        case nil: nil
        }
    }

    // MARK: Receiving

    /// Begins to receive the body that the request's head announces.
    package mutating func begin(_ request: Request) {
        if request.isChunked {
            framing = .chunks
            decoder = ChunkedDecoder()
        } else {
            framing = .length(left: request.contentLength ?? 0)
        }
    }

    /// Takes received bytes; `taken` is how many of them were the body's.
    package mutating func receive(
        _ bytes: UnsafeRawBufferPointer, taken: inout Int, _ limits: Limits
    ) -> Receipt {
        switch framing {
        case .length(let left):
            let count = Int(min(left, Int64(bytes.count)))
            if let failure = keep(UnsafeRawBufferPointer(rebasing: bytes[..<count]), limits) {
                return failure
            }
            taken = count
            framing = .length(left: left - Int64(count))
            return left == Int64(count) ? .complete : .incomplete
        case .chunks:
            return receiveChunks(bytes, &taken, limits)
        }
    }

    private mutating func receiveChunks(
        _ bytes: UnsafeRawBufferPointer, _ taken: inout Int, _ limits: Limits
    ) -> Receipt {
        let span = bytes.bindMemory(to: UInt8.self).span
        while true {
            do throws(ChunkedDecoder.Malformed) {
                switch try decoder.next(span, &taken) {
                case .needsMore: return .incomplete
                case .end: return .complete
                case .data(let range):
                    guard length + Int64(range.count) <= limits.total else {
                        return .refused(status: 413)
                    }
                    let part = UnsafeRawBufferPointer(rebasing: bytes[range])
                    if let failure = keep(part, limits) { return failure }
                }
            } catch {
                return .refused(status: 400)
            }
        }
    }

    private mutating func keep(
        _ bytes: UnsafeRawBufferPointer, _ limits: Limits
    ) -> Receipt? {
        do throws(SystemError) {
            if spool == nil {
                guard memory.count + bytes.count > limits.memory else {
                    memory.append(contentsOf: bytes)
                    length += Int64(bytes.count)
                    return nil
                }
                if let failure = try openSpool(limits) { return failure }
            }
            guard charge(bytes.count, limits.spool) else { return .refused(status: 507) }
            try Files.writeAll(file ?? -1, bytes)
            length += Int64(bytes.count)
            return nil
        } catch {
            return .unkept(error)
        }
    }

    /// Moves what is in memory to a file.
    private mutating func openSpool(_ limits: Limits) throws(SystemError) -> Receipt? {
        guard charge(memory.count, limits.spool) else { return .refused(status: 507) }
        let opened = try Files.open(limits.folder, [.readWrite, .unnamed])
        try Files.writeAll(opened.number, memory.span.bytes)
        memory.removeAll(keepingCapacity: true)
        spool = consume opened
        return nil
    }

    private mutating func charge(_ count: Int, _ budget: ByteBudget) -> Bool {
        guard budget.take(Int64(count)) else { return false }
        self.budget = budget
        spooled += Int64(count)
        return true
    }

    // MARK: Reading

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

    /// Forgets the body, whatever became of it; keeps the memory.
    package mutating func reset() {
        if !memory.isEmpty { memory.removeAll(keepingCapacity: memory.capacity <= 128 * 1024) }
        if spool != nil || spooled > 0 { closeSpool() }
        length = 0
        readOffset = 0
    }

    private mutating func closeSpool() {
        spool = nil
        budget?.give(spooled)
        spooled = 0
        budget = nil
    }
}
