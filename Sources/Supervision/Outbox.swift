// Messages that wait until their host reads.
// SPDX-License-Identifier: Apache-2.0

import Platform

/// Messages to one host in order. The supervisor never waits for a host: what its socket has no room for
/// waits here, within bounds.
struct Outbox {
    struct Letter {
        var bytes: [UInt8]
        var descriptors: [Int32] = []
        /// Keeps the descriptors open until they are sent.
        var owners: [AnyObject] = []
    }

    /// What a flush came to.
    enum Result: Equatable {
        case empty
        /// The socket is full: go on when it is writable.
        case full
        /// The kernel is short of something that no event tells of: go on a little later.
        case exhausted
        /// The host has closed its end; all that waited is dropped.
        case gone
    }

    static let mostLetters = 4096
    static let mostBytes = 16 << 20

    private var letters: [Letter] = []
    /// Letters before this one have been sent.
    private var first = 0
    private var bytes = 0

    var count: Int { letters.count - first }
    /// The host reads too little: nothing more is worth keeping for it.
    var isOverfull: Bool { count > Self.mostLetters || bytes > Self.mostBytes }

    mutating func append(_ letter: Letter) {
        letters.append(letter)
        bytes += letter.bytes.count
    }

    /// Sends what there is room for. A letter that can never be sent is dropped and told of.
    mutating func flush(
        _ send: (Letter) -> MessageSocket.Attempt, unsendable: (Int32) -> Void
    ) -> Result {
        while first < letters.count {
            switch send(letters[first]) {
            case .sent: dropFirst()
            case .failed(let code):
                dropFirst()
                unsendable(code)
            case .full: return .full
            case .exhausted: return .exhausted
            case .gone:
                self = Outbox()
                return .gone
            }
        }
        return .empty
    }

    private mutating func dropFirst() {
        bytes -= letters[first].bytes.count
        // Its owners may close descriptors now.
        letters[first] = Letter(bytes: [])
        first += 1
        if first == letters.count {
            letters.removeAll(keepingCapacity: letters.capacity < 64)
            first = 0
        } else if first >= 1024 {
            letters.removeFirst(first)
            first = 0
        }
    }
}
