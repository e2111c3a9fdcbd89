// Messages arrive whole, with what came beside them, and a peer's death is no error.
// SPDX-License-Identifier: Apache-2.0

import Platform
import Testing

struct MessageSocketTests {
    @Test func peerThatDiesWithUnreadMessagesIsHeardToItsEnd() throws {
        let ends = try Socket.pair(datagrams: true)
        let ours = MessageSocket(Descriptor(owning: ends.0))
        do {
            let theirs = MessageSocket(Descriptor(owning: ends.1))
            try ours.send([1, 2, 3])
            try theirs.send([7])
            try theirs.send([8])
        }
        // man 7 unix does not tell: the first call after such an end is ECONNRESET.
        #expect(try ours.receive(wait: false)?.bytes == [7])
        #expect(try ours.receive(wait: false)?.bytes == [8])
        #expect(try ours.receive(wait: false)?.bytes.isEmpty == true)
        #expect(ours.trySend([1]) == .gone)
    }

    @Test func socketThatIsFullSaysSoAndNothingIsLost() throws {
        let ends = try Socket.pair(datagrams: true)
        let ours = MessageSocket(Descriptor(owning: ends.0))
        let theirs = MessageSocket(Descriptor(owning: ends.1))
        var sent = 0
        while ours.trySend([UInt8](repeating: UInt8(truncatingIfNeeded: sent), count: 100)) == .sent
        {
            sent += 1
        }
        #expect(ours.trySend([1]) == .full)
        for number in 0..<sent {
            #expect(
                try theirs.receive(wait: false)?.bytes.first == UInt8(truncatingIfNeeded: number))
        }
        let rest = try theirs.receive(wait: false)
        #expect(rest?.bytes == nil)
        #expect(ours.trySend([1]) == .sent)
    }
}
