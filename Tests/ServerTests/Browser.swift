// A client of the server under test: sends bytes, reads answers one by one.
// SPDX-License-Identifier: Apache-2.0

import Platform
import Synchronization
import TestSupport

/// A connection from the client's side; it gives up after half a minute without a byte.
final class Browser: @unchecked Sendable {
    // because a test reads on one thread while at most one other only sends

    let socket: Int32
    private let reader: ResponseReader

    init(_ socket: Int32) {
        self.socket = socket
        Socket.setReceiveTimeout(socket, milliseconds: 30_000)
        reader = ResponseReader { try Self.receive(socket) }
    }

    deinit { closeDescriptor(socket) }

    func send(_ text: String) {
        let bytes = Array(text.utf8)
        var sent = 0
        while sent < bytes.count {
            let result = bytes.withUnsafeBytes {
                Socket.send(socket, UnsafeRawBufferPointer(rebasing: $0[sent...]))
            }
            guard case .bytes(let count) = result else { return }
            sent += count
        }
    }

    static func get(_ target: String) -> String { "GET \(target) HTTP/1.1\r\nHost: x\r\n\r\n" }

    func get(_ target: String) -> HTTPResponse? {
        send(Self.get(target))
        return answer()
    }

    /// Waits until that text has come, which stays to be read as part of an answer.
    func wait(for text: String) -> Bool { (try? reader.wait(for: text)) == true }

    /// The next answer; nil when the connection ended before it was complete.
    func answer() -> HTTPResponse? { try? reader.response() }

    /// Whether the server closes the connection without another byte.
    func isClosed() -> Bool { (try? reader.everything().isEmpty) == true }

    var wasReset: Bool { reader.wasReset }

    private static func receive(_ socket: Int32) throws -> ResponseReader.Arrival {
        var room = [UInt8](repeating: 0, count: 65536)
        switch room.withUnsafeMutableBytes({ Socket.receive(socket, into: $0) }) {
        case .bytes(let count): return .bytes(Array(room[..<count]))
        case .wouldBlock: throw ClientError.timedOut
        case .end: return .end
        case .failed: return .reset
        }
    }
}

/// Runs `body` so many times at once, each on a thread of its own, and waits for all of them.
func atOnce(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) throws {
    let left = Counter(count)
    for index in 0..<count {
        try Thread.start(named: "client") {
            body(index)
            left.countDown()
        }
    }
    while !left.isZero { Thread.sleep(milliseconds: 1) }
}

final class Counter: Sendable {
    private let value: Atomic<Int>
    init(_ value: Int) { self.value = Atomic(value) }
    func countDown() { value.subtract(1, ordering: .acquiringAndReleasing) }
    func countUp() { value.add(1, ordering: .acquiringAndReleasing) }
    var isZero: Bool { current == 0 }
    var current: Int { value.load(ordering: .acquiring) }
}
