// A request's body: where it comes from, and where it is kept until its handler reads it.
// SPDX-License-Identifier: Apache-2.0

package import Exchange
import ExtensionHost
package import Platform

/// The body of one request.
///
/// Mostly it is received before its handler runs: in memory when small, else in an unnamed file. A slow
/// client holds this, never a worker and never a thread. A body that arrives from a `BodySource` is handed
/// to its handler with its first bytes, and the handler waits for the others.
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
        /// An arriving body has as many bytes as an extension finds in lpbData.
        case preloaded
        case complete
        /// The request cannot be answered: 400, 413 or 507.
        case refused(status: Int)
        /// The body cannot be kept, and why.
        case unkept(SystemError)
    }

    /// Where the end of the body is known from.
    package enum End: Sendable {
        /// So many bytes are to come.
        case length(left: Int64)
        case lastChunk(ChunkedDecoder)
        /// The protocol tells it when it has come: the END_STREAM of HTTP/2.
        case told
        /// It has come.
        case reached

        /// What the head of an HTTP/1 request announces.
        package init(_ request: Request) {
            self =
                request.isChunked
                ? .lastChunk(ChunkedDecoder()) : .length(left: request.contentLength ?? 0)
        }
    }

    private enum Place: ~Copyable {
        /// All that came is in `memory`.
        case buffered
        /// All that came is in an unnamed file.
        case spooled(Descriptor)
        /// The first bytes are in `memory`, the others come when they are read.
        case arriving(any BodySource)
    }

    /// Bytes received so far; once the handler of a body that does not arrive runs, the body's length.
    package private(set) var length: Int64 = 0
    /// The whole body of a buffered one.
    package private(set) var memory: [UInt8] = []
    /// The status that says why the rest of an arriving body never comes.
    package private(set) var failure: Int?
    private var place = Place.buffered
    private var end = End.reached
    private var spooled: Int64 = 0
    private var budget: ByteBudget?
    private var readOffset: Int64 = 0

    init() {}

    /// The file that holds the whole body from its beginning; nil when there is none.
    package var file: Int32? {
        switch place {
        case .spooled(let descriptor): descriptor.number
        default: nil
        }
    }

    /// Whether the handler reads what the client still sends.
    package var isArriving: Bool {
        switch place {
        case .arriving: true
        default: false
        }
    }

    private var source: (any BodySource)? {
        switch place {
        case .arriving(let source): source
        default: nil
        }
    }

    /// Whether no byte of it is still to come.
    package var isComplete: Bool {
        if case .reached = end { true } else { false }
    }

    /// The length of the whole body; -1 as long as it is unknown.
    package var wholeLength: Int64 {
        switch end {
        case .reached: length
        case .length(let left): length + left
        case .lastChunk, .told: -1
        }
    }

    // MARK: Receiving

    /// Begins to receive a body.
    ///
    /// - Parameter source: Where its handler reads it from; nil: the handler waits for the whole.
    package mutating func begin(_ end: End, from source: (any BodySource)? = nil) {
        self.end = end
        if let source { place = .arriving(source) }
    }

    /// The handler waits for the whole body after all.
    package mutating func receiveWhole() { place = .buffered }

    /// Takes received bytes; `taken` is how many of them were the body's.
    package mutating func receive(
        _ bytes: UnsafeRawBufferPointer, taken: inout Int, _ limits: Limits
    ) -> Receipt {
        while true {
            let room = isArriving ? Preload.largest - memory.count : Int.max
            if room == 0, !isComplete { return .preloaded }
            switch next(bytes, &taken, most: room, limit: limits.total) {
            case .needsMore: return .incomplete
            case .refused(let status): return .refused(status: status)
            case .data(let range):
                let part = UnsafeRawBufferPointer(rebasing: bytes[range])
                if let failure = keep(part, limits) { return failure }
            case .end:
                // All that came of an arriving body is in memory.
                if isArriving { place = .buffered }
                return .complete
            }
        }
    }

    /// The protocol says that no more comes.
    package mutating func endWasTold() -> Receipt {
        guard case .told = end else { return .refused(status: 400) }
        end = .reached
        return .complete
    }

    private enum Step {
        case data(Range<Int>)
        case needsMore
        case end
        case refused(status: Int)
    }

    /// The next run of body bytes, at most so many; what frames it is passed over.
    private mutating func next(
        _ bytes: UnsafeRawBufferPointer, _ cursor: inout Int, most: Int, limit: Int64
    ) -> Step {
        switch end {
        case .reached: return .end
        case .length(let left):
            guard left > 0 else {
                end = .reached
                return .end
            }
            let count = min(bytes.count - cursor, most, Int(left))
            end = count == left ? .reached : .length(left: left - Int64(count))
            return step(over: count, &cursor, limit: .max)
        case .told:
            return step(over: min(bytes.count - cursor, most), &cursor, limit: limit)
        case .lastChunk(let decoder):
            return nextInChunks(bytes, &cursor, most: most, limit: limit, decoder)
        }
    }

    private func step(over count: Int, _ cursor: inout Int, limit: Int64) -> Step {
        guard count > 0 else { return .needsMore }
        guard length + Int64(count) <= limit else { return .refused(status: 413) }
        cursor += count
        return .data(cursor - count..<cursor)
    }

    private mutating func nextInChunks(
        _ bytes: UnsafeRawBufferPointer, _ cursor: inout Int, most: Int, limit: Int64,
        _ began: ChunkedDecoder
    ) -> Step {
        let span = bytes.bindMemory(to: UInt8.self).span
        var decoder = began
        while true {
            // A window in which no more data than wanted fits.
            let window = bytes.count - cursor > most ? cursor + most : bytes.count
            do throws(ChunkedDecoder.Malformed) {
                switch try decoder.next(span.extracting(0..<window), &cursor) {
                case .needsMore where window < bytes.count: continue
                case .needsMore:
                    end = .lastChunk(decoder)
                    return .needsMore
                case .end:
                    end = .reached
                    return .end
                case .data(let range):
                    end = .lastChunk(decoder)
                    let isWithin = length + Int64(range.count) <= limit
                    return isWithin ? .data(range) : .refused(status: 413)
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
            if file == nil {
                guard memory.count + bytes.count > limits.memory, !isArriving else {
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
        place = .spooled(opened)
        return nil
    }

    private mutating func charge(_ count: Int, _ budget: ByteBudget) -> Bool {
        guard budget.take(Int64(count)) else { return false }
        self.budget = budget
        spooled += Int64(count)
        return true
    }

    // MARK: Reading

    /// The next bytes after those read before; waits for those of an arriving body. 0 at the end, -1 when
    /// the rest cannot be read or never comes.
    package mutating func read(into room: UnsafeMutableRawBufferPointer) -> Int {
        let count = readKept(into: room)
        guard count == 0, let source else { return count }
        return read(from: source, into: room)
    }

    /// The next bytes of those that were kept, without waiting: 0 when there are none.
    package mutating func readKept(into room: UnsafeMutableRawBufferPointer) -> Int {
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

    /// From where it arrives to where it is wanted, and kept nowhere between.
    private mutating func read(
        from source: any BodySource, into room: UnsafeMutableRawBufferPointer
    ) -> Int {
        while failure == nil, !room.isEmpty {
            var copied = 0
            var last = Step.needsMore
            source.withBytes { bytes in
                var taken = 0
                last = copy(bytes, &taken, into: room, &copied, limit: source.limit)
                return taken
            }
            if case .refused(let status) = last { failure = status }
            if copied > 0 { return copied }
            if case .end = last { return 0 }
            if failure == nil { wait(for: source) }
        }
        return failure == nil ? 0 : -1
    }

    /// Copies until the room is full, or something else than data is met.
    private mutating func copy(
        _ bytes: UnsafeRawBufferPointer, _ taken: inout Int,
        into room: UnsafeMutableRawBufferPointer, _ copied: inout Int, limit: Int64
    ) -> Step {
        while copied < room.count {
            let step = next(bytes, &taken, most: room.count - copied, limit: limit)
            guard case .data(let range) = step else { return step }
            UnsafeMutableRawBufferPointer(rebasing: room[copied...])
                .copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[range]))
            copied += range.count
            length += Int64(range.count)
            readOffset += Int64(range.count)
        }
        return .needsMore
    }

    private mutating func wait(for source: any BodySource) {
        switch source.waitForMore() {
        case .bytes: break
        case .failed(let status): failure = status
        case .ended: if case .refused(let status) = endWasTold() { failure = status }
        }
    }

    /// Forgets the body, whatever became of it; keeps the memory.
    package mutating func reset() {
        if !memory.isEmpty { memory.removeAll(keepingCapacity: memory.capacity <= 128 * 1024) }
        if file != nil || isArriving { place = .buffered }
        if spooled > 0 { giveBack() }
        end = .reached
        failure = nil
        length = 0
        readOffset = 0
    }

    private mutating func giveBack() {
        budget?.give(spooled)
        spooled = 0
        budget = nil
    }
}
