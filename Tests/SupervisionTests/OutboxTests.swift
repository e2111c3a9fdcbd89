// Messages leave in order, each once, and the descriptors live as long as they wait.
// SPDX-License-Identifier: Apache-2.0

import Platform
import Testing

@testable import Supervision

struct OutboxTests {
    @Test func whatTheSocketHasNoRoomForFollowsInOrder() throws {
        var outbox = Outbox()
        var sent: [UInt8] = []
        var room = 2
        func send(_ letter: Outbox.Letter) -> MessageSocket.Attempt {
            guard room > 0 else { return .full }
            room -= 1
            sent += letter.bytes
            return .sent
        }
        for number in UInt8(0)..<5 { outbox.append(.init(bytes: [number])) }
        #expect(outbox.flush(send, unsendable: { _ in }) == .full)
        #expect(sent == [0, 1] && outbox.count == 3)
        room = 10
        outbox.append(.init(bytes: [5]))
        #expect(outbox.flush(send, unsendable: { _ in }) == .empty)
        #expect(sent == [0, 1, 2, 3, 4, 5] && outbox.count == 0)
    }

    @Test func messageThatCannotBeSentIsDroppedAlone() {
        var outbox = Outbox()
        for number in 0..<3 { outbox.append(.init(bytes: [UInt8(number)])) }
        var codes: [Int32] = []
        let result = outbox.flush(
            { $0.bytes == [1] ? .failed(90) : .sent }, unsendable: { codes.append($0) })
        #expect(result == .empty && codes == [90])
    }

    @Test func boundsAreOfMessagesAndOfBytes() {
        var outbox = Outbox()
        // Named, because a failure would print the whole outbox.
        func isOverfull() -> Bool { outbox.isOverfull }
        for _ in 0..<Outbox.mostLetters { outbox.append(.init(bytes: [0])) }
        #expect(!isOverfull())
        outbox.append(.init(bytes: [0]))
        #expect(isOverfull())
        #expect(outbox.flush({ _ in .gone }, unsendable: { _ in }) == .gone)
        #expect(!isOverfull())
        outbox.append(.init(bytes: [UInt8](repeating: 0, count: Outbox.mostBytes + 1)))
        #expect(isOverfull())
    }

    @Test func descriptorStaysOpenUntilItIsSent() throws {
        let ends = try Files.pipe()
        let reader = Descriptor(owning: ends.read)
        var outbox = Outbox()
        do {
            let writer = SharedDescriptor(Descriptor(owning: ends.write))
            outbox.append(.init(bytes: [0], descriptors: [ends.write], owners: [writer]))
        }
        #expect(outbox.flush({ _ in .full }, unsendable: { _ in }) == .full)
        #expect(Socket.wait(reader.number, for: .readable, milliseconds: 0).isEmpty)
        #expect(outbox.flush({ _ in .sent }, unsendable: { _ in }) == .empty)
        #expect(Socket.wait(reader.number, for: .readable, milliseconds: 0).contains(.hangUp))
    }
}
