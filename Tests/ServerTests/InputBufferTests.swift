// The bytes between a socket and the parser.
// SPDX-License-Identifier: Apache-2.0

import Glibc
import Platform
import Testing

@testable import Server

@Suite struct InputBufferTests {
    /// A socket pair with a buffer at its near end.
    private final class Received {
        var buffer = InputBuffer()
        let near: Descriptor
        let far: Descriptor
        var isDrained = false

        init() throws {
            let (near, far) = try Socket.pair()
            self.near = Descriptor(owning: near)
            self.far = Descriptor(owning: far)
            Files.setNonBlocking(near)
        }

        func send(_ bytes: [UInt8]) throws {
            try bytes.withUnsafeBytes { try Files.writeAll(far.number, $0) }
        }

        func receive() -> Socket.Transfer {
            buffer.receive(from: Transport(near.number), isDrained: &isDrained)
        }

        var count: Int { buffer.count }
        var isEmpty: Bool { buffer.isEmpty }
        var first: UInt8 { buffer.withSpan { $0[0] } }
        var bytes: [UInt8] { buffer.withBytes { Array($0) } }
    }

    @Test func bytesComeOutAsTheyWentInHoweverTheyAreConsumed() throws {
        let received = try Received()
        #expect(received.isEmpty)
        try received.send(Array("GET / HTTP/1.1".utf8))
        #expect(received.receive() == .bytes(14))
        #expect(received.isDrained)
        #expect(received.count == 14)
        received.buffer.consume(4)
        try received.send(Array("!".utf8))
        #expect(received.receive() == .bytes(1))
        #expect(received.bytes == Array("/ HTTP/1.1!".utf8))
        #expect(received.first == UInt8(ascii: "/"))
        received.buffer.consume(11)
        #expect(received.isEmpty)
        #expect(received.bytes == [])
    }

    @Test func nothingToReceiveAndTheEndAreTold() throws {
        let received = try Received()
        #expect(received.receive() == .wouldBlock)
        #expect(received.isDrained)
        try received.send([1])
        Socket.shutdownWrite(received.far.number)
        #expect(received.receive() == .bytes(1))
        #expect(received.receive() == .end)
        #expect(received.isDrained)
        #expect(received.bytes == [1])
    }

    @Test func aBufferThatWasFilledMayHaveLeftSomething() throws {
        let received = try Received()
        try received.send([UInt8](repeating: 1, count: InputBuffer.initialSize))
        #expect(received.receive() == .bytes(InputBuffer.initialSize))
        #expect(!received.isDrained)
        #expect(received.receive() == .wouldBlock)
        #expect(received.isDrained)
    }

    @Test func aFullBufferGrowsToItsLargestSizeAndNoFurther() throws {
        let received = try Received()
        let size = InputBuffer.largestSize
        let bytes = (0..<size + 1).map { UInt8(truncatingIfNeeded: $0 / 7) }
        var sent = 0
        while received.count < size {
            if sent < bytes.count {
                let part = bytes[sent..<min(sent + 8192, bytes.count)]
                try received.send(Array(part))
                sent += part.count
            }
            guard case .bytes = received.receive() else { break }
        }
        #expect(received.count == size)
        #expect(received.bytes == Array(bytes[..<size]))
        if sent < bytes.count { try received.send(Array(bytes[sent...])) }
        #expect(received.receive() == .failed(0))
        // What is consumed makes room at the front.
        received.buffer.consume(size - 2)
        #expect(received.receive() == .bytes(1))
        #expect(received.bytes == Array(bytes[(size - 2)...]))
    }

    @Test func roomForABodyKeepsWhatIsThere() throws {
        let received = try Received()
        try received.send(Array("body".utf8))
        _ = received.receive()
        received.buffer.consume(1)
        received.buffer.growForBody()
        #expect(received.bytes == Array("ody".utf8))
        let piece = [UInt8](repeating: 2, count: 40_000)
        try received.send(piece)
        // One call takes it all, which the first size could not.
        #expect(received.receive() == .bytes(40_000))
        #expect(received.bytes == Array("ody".utf8) + piece)
        received.buffer.removeAll()
        #expect(received.isEmpty)
    }
}
