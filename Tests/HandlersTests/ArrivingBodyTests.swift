// Bodies that arrive while they are read: the same bytes as of one that was received before.
// SPDX-License-Identifier: Apache-2.0

import Exchange
import Handlers
import Testing

/// Gives a text in pieces, each of which has to be waited for, and then says how it ended.
private final class PieceSource: BodySource {
    let limit: Int64
    var left: ArraySlice<UInt8>
    private var here: ArraySlice<UInt8> = []
    private let size: Int
    private let ending: BodyWait

    init(_ text: [UInt8], by size: Int, limit: Int64 = .max, ending: BodyWait = .ended) {
        left = text[...]
        self.size = size
        self.limit = limit
        self.ending = ending
    }

    var untouched: [UInt8] { Array(here + left) }

    func withBytes(_ take: (UnsafeRawBufferPointer) -> Int) {
        let taken = here.withUnsafeBytes { take($0) }
        here = here.dropFirst(taken)
    }

    func waitForMore() -> BodyWait {
        if left.isEmpty { return ending }
        here += left.prefix(size)
        left = left.dropFirst(size)
        return .bytes
    }
}

@Suite struct ArrivingBodyTests {
    private let exchange: Exchange

    init() throws { exchange = try Wire().exchange }

    private func pattern(_ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
    }

    private func chunks(_ body: [UInt8]) -> [UInt8] {
        var text: [UInt8] = []
        for start in stride(from: 0, to: body.count, by: 1000) {
            let part = body[start..<min(start + 1000, body.count)]
            text += Array("\(String(part.count, radix: 16))\r\n".utf8) + part + [13, 10]
        }
        return text + Array("0\r\n\r\n".utf8)
    }

    private func receive(_ bytes: [UInt8], _ limits: RequestBody.Limits = Wire.limits(memory: 9))
        -> (RequestBody.Receipt, taken: Int)
    {
        var taken = 0
        let receipt = bytes.withUnsafeBytes { exchange.body.receive($0, taken: &taken, limits) }
        return (receipt, taken)
    }

    /// All that can be read, and what the read after it gives.
    private func readAll(by size: Int) -> (bytes: [UInt8], last: Int) {
        var all: [UInt8] = []
        var room = [UInt8](repeating: 0, count: size)
        while true {
            let count = room.withUnsafeMutableBytes { exchange.body.read(into: $0) }
            if count <= 0 { return (all, count) }
            all += room[..<count]
        }
    }

    @Test(arguments: [1, 7, 1024, 100_000])
    func theFirstBytesAreKeptAndTheOthersComeWhenTheyAreRead(size: Int) {
        let body = pattern(60_000)
        for isChunked in [false, true] {
            let text = (isChunked ? chunks(body) : body) + [1, 2, 3]
            let source = PieceSource([], by: size)
            exchange.body.begin(
                isChunked ? .lastChunk(ChunkedDecoder()) : .length(left: 60_000), from: source)
            let (receipt, taken) = receive(text)
            #expect(receipt == .preloaded && !exchange.body.isComplete)
            source.left = text[taken...]
            #expect(exchange.body.memory == Array(body[..<49152]))
            #expect(exchange.body.wholeLength == (isChunked ? -1 : 60_000))
            let (rest, last) = readAll(by: 777)
            #expect(rest == body && last == 0)
            #expect(exchange.body.isComplete && exchange.body.wholeLength == 60_000)
            #expect(source.untouched == [1, 2, 3], "what follows the body is not the body's")
            exchange.body.reset()
        }
    }

    @Test func aBodyThatIsHereWholeIsABufferedOne() {
        exchange.body.begin(.length(left: 49_152), from: PieceSource([], by: 1))
        #expect(receive(pattern(49_152)).0 == .complete)
        #expect(!exchange.body.isArriving && exchange.body.file == nil)
        #expect(readAll(by: 5000).bytes == pattern(49_152))
    }

    @Test func aHandlerThatReadsAsMuchAsWasAnnouncedHasReadToTheEnd() {
        exchange.body.begin(.length(left: 4), from: PieceSource([1, 2, 3, 4], by: 9))
        var room: [UInt8] = [0, 0, 0, 0]
        #expect(room.withUnsafeMutableBytes { exchange.body.read(into: $0) } == 4)
        #expect(exchange.body.isComplete == true)
    }

    @Test func whoMayNotWaitGetsTheWholeBodyFirst() {
        exchange.body.begin(.length(left: 60_000), from: PieceSource([], by: 1))
        let body = pattern(60_000)
        let (receipt, taken) = receive(body)
        #expect(receipt == .preloaded)
        exchange.body.receiveWhole()
        #expect(receive(Array(body[taken...])).0 == .complete)
        #expect(exchange.body.file != nil)
        #expect(readAll(by: 7000).bytes == body)
    }

    @Test(arguments: [
        ("3\r\nabc\r\nx", Int64.max, BodyWait.ended, 400), ("3\r\nabc\r\n", .max, .ended, 400),
        ("3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n", 3, .ended, 413),
        ("3\r\nabc\r\n", .max, .failed(status: 408), 408),
    ])
    func whatIsWrongWithTheRestFailsTheReadForGood(
        text: String, limit: Int64, ending: BodyWait, status: Int
    ) {
        let source = PieceSource(Array(text.utf8), by: 100, limit: limit, ending: ending)
        exchange.body.begin(.lastChunk(ChunkedDecoder()), from: source)
        #expect(readAll(by: 9) == (Array("abc".utf8), -1))
        #expect(readAll(by: 9) == ([], -1))
        #expect(exchange.body.failure == status && !exchange.body.isComplete)
    }

    @Test func theProtocolItselfCanTellTheEnd() {
        exchange.body.begin(.told, from: PieceSource([1, 2, 3], by: 2))
        #expect(readAll(by: 9) == ([1, 2, 3], 0))
        #expect(exchange.body.isComplete && exchange.body.failure == nil)
        exchange.body.reset()
        exchange.body.begin(.told)
        #expect(receive([4, 5]) == (.incomplete, 2))
        #expect(exchange.body.endWasTold() == .complete)
        #expect(readAll(by: 9) == ([4, 5], 0))
    }

    @Test func theAnswerToAnUnreadBodyIsTheLastOfItsConnection() throws {
        let wire = try Wire("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n")
        wire.exchange.body.begin(.length(left: 5), from: PieceSource([1], by: 1))
        wire.exchange.refuse(status: 403)
        #expect(wire.text.contains("Connection: close\r\n"))
    }

    @Test func aHandlerThatFailsForItsClientsBodyAnswersWhatTheClientDidWrong() throws {
        let wire = try Wire("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n")
        wire.exchange.body.begin(
            .length(left: 5), from: PieceSource([], by: 1, ending: .failed(status: 408)))
        var room: [UInt8] = [0]
        #expect(room.withUnsafeMutableBytes { wire.exchange.body.read(into: $0) } == -1)
        wire.exchange.fail(status: 500, reason: "the extension returned HSE_STATUS_ERROR")
        #expect(wire.text.hasPrefix("HTTP/1.1 408 "))
    }
}
