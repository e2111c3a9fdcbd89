// A client of the server under test: sends bytes, reads answers one by one.
// SPDX-License-Identifier: Apache-2.0

import Exchange
import Platform
import Synchronization

/// One answer as it came.
struct Answer: Equatable {
    var status = 0
    var head = ""
    var body = ""
}

/// A connection from the client's side; it gives up after half a minute without a byte.
final class Browser: @unchecked Sendable {
    // because a test reads on one thread while at most one other only sends

    let socket: Int32
    private var received: [UInt8] = []

    init(_ socket: Int32) {
        self.socket = socket
        Socket.setReceiveTimeout(socket, milliseconds: 30_000)
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

    func get(_ target: String) -> Answer? {
        send(Self.get(target))
        return answer()
    }

    /// Waits until that text has come, which stays to be read as part of an answer.
    func wait(for text: String) -> Bool {
        while !String(decoding: received, as: UTF8.self).contains(text) {
            guard receive() else { return false }
        }
        return true
    }

    /// The next answer; nil when the connection ended before it was complete.
    func answer() -> Answer? {
        var answer = Answer()
        guard let length = readHead(&answer) else { return nil }
        received.removeFirst(length)
        if answer.head.contains("Transfer-Encoding: chunked") {
            var decoder = ChunkedDecoder()
            var body: [UInt8] = []
            while !decoder.isDone {
                var cursor = 0
                while case .data(let range) = try? decoder.next(received.span, &cursor) {
                    body += received[range]
                }
                received.removeFirst(cursor)
                guard decoder.isDone || receive() else { return nil }
            }
            answer.body = String(decoding: body, as: UTF8.self)
            return answer
        }
        let left = contentLength(of: answer.head)
        while received.count < left { guard receive() else { return nil } }
        answer.body = String(decoding: received[..<left], as: UTF8.self)
        received.removeFirst(left)
        return answer
    }

    /// Whether the server closes the connection without another byte.
    func isClosed() -> Bool {
        guard received.isEmpty else { return false }
        return !receive() && !hasTimedOut
    }

    private(set) var hasTimedOut = false
    private(set) var wasReset = false

    private func readHead(_ answer: inout Answer) -> Int? {
        while true {
            if let length = ResponseHead.length(in: received.span) {
                answer.head = String(decoding: received[..<length], as: UTF8.self)
                answer.status = Int(answer.head.dropFirst(9).prefix(3)) ?? 0
                return length
            }
            guard receive() else { return nil }
        }
    }

    private func contentLength(of head: String) -> Int {
        for line in head.split(separator: "\r\n") where line.hasPrefix("Content-Length: ") {
            return Int(line.dropFirst(16)) ?? 0
        }
        return 0
    }

    private func receive() -> Bool {
        var room = [UInt8](repeating: 0, count: 65536)
        switch room.withUnsafeMutableBytes({ Socket.receive(socket, into: $0) }) {
        case .bytes(let count):
            received += room[..<count]
            return true
        case .wouldBlock:
            hasTimedOut = true
            return false
        case .end:
            return false
        case .failed:
            wasReset = true
            return false
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
