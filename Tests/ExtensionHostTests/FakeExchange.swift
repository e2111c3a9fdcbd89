// An exchange that remembers what an extension did to it.
// SPDX-License-Identifier: Apache-2.0

import Exchange
import ExtensionHost
import Platform
import Synchronization
import TestExtensions

final class FakeExchange: ExtensionExchange, @unchecked Sendable {
    // because what extensions write is in one struct in one Mutex, and the rest never changes.
    struct Answer {
        var heads = 0
        var status = 0
        var block = ""
        var contentLength: Int64?
        var closes = false
        var body: [UInt8] = []
        var failures: [Int] = []
        var reasons: [String] = []
        var log = ""
        var notedStatus = 0
        var completions = 0
        /// The client is gone after so many body bytes.
        var mostBytes = Int.max

        var text: String { String(decoding: body, as: UTF8.self) }
    }

    let request = Request()
    let body: [UInt8]
    let bodyLength: Int64
    let isInProcess = true
    let keepsConnection = true
    /// Body bytes given at once.
    let largestRead: Int
    /// Who holds the writes; nil = nobody.
    let client: SlowClient?
    /// Bytes of the body that are there when the call begins, the others can be waited for; nil = all.
    nonisolated(unsafe) var arrived: Int?
    // because a test sets it before the call.
    private let position = Mutex(0)
    private let state: Mutex<Answer>

    init(
        _ target: String = "/x", method: String = "GET", fields: String = "", body: [UInt8] = [],
        largestRead: Int = .max, mostBytes: Int = .max, client: SlowClient? = nil,
        bodyLength: Int64? = nil
    ) {
        let length = body.isEmpty ? "" : "Content-Length: \(body.count)\r\n"
        let head = Array(
            "\(method) \(target) HTTP/1.1\r\nHost: test\r\n\(length)\(fields)\r\n".utf8)
        var parser = RequestParser()
        guard (try? parser.parse(head.span, into: request)) == head.count else {
            fatalError("the test's request is no request")
        }
        self.body = body
        self.largestRead = largestRead
        self.client = client
        self.bodyLength = bodyLength ?? Int64(body.count)
        state = Mutex(Answer(mostBytes: mostBytes))
    }

    var answer: Answer { state.withLock { $0 } }

    func waitForCompletion() {
        for _ in 0..<60_000 where answer.completions == 0 { Thread.sleep(milliseconds: 1) }
    }

    var bodyIsComplete: Bool { arrived == nil }

    func readBody(into room: UnsafeMutableRawBufferPointer) -> Int { read(into: room, body.count) }

    func readBodyNow(into room: UnsafeMutableRawBufferPointer) -> Int {
        read(into: room, arrived ?? body.count)
    }

    private func read(into room: UnsafeMutableRawBufferPointer, _ end: Int) -> Int {
        position.withLock { position in
            let count = min(room.count, end - position, largestRead)
            body.withUnsafeBytes {
                room.copyMemory(
                    from: UnsafeRawBufferPointer(rebasing: $0[position..<position + count]))
            }
            position += count
            return count
        }
    }

    func sendHead(_ head: borrowing ResponseHead) -> Bool {
        let status = head.status
        let block = String(decoding: head.block, as: UTF8.self)
        let length = head.contentLength
        let closes = head.closesConnection
        state.withLock {
            $0.heads += 1
            $0.status = status
            $0.block = block
            $0.contentLength = length
            $0.closes = closes
        }
        return true
    }

    func write(_ bytes: UnsafeRawBufferPointer) -> Bool {
        let copy = Array(bytes)
        client?.holdWrite()
        return state.withLock {
            $0.body += copy
            return $0.body.count <= $0.mostBytes
        }
    }

    func fail(status: Int, reason: String) {
        state.withLock {
            $0.failures.append(status)
            $0.reasons.append(reason)
        }
    }

    var isConnected: Bool { state.withLock { $0.body.count <= $0.mostBytes } }

    func appendLog(_ bytes: UnsafeRawBufferPointer) {
        let text = String(decoding: bytes, as: UTF8.self)
        state.withLock { $0.log += text }
    }

    func noteStatus(_ status: Int) { state.withLock { $0.notedStatus = status } }
    func complete() { state.withLock { $0.completions += 1 } }

    func append(_ variable: MetaVariable, to bytes: inout [UInt8]) -> Bool {
        let text: String
        switch variable {
        case .remoteAddress: text = "127.0.0.1"
        case .localPort: text = "80"
        case .documentRoot: text = "/srv/www"
        case .scriptName: text = "/x"
        case .pathInfo: text = "/more"
        case .pathTranslated: text = "/srv/www/more"
        case .siteNumber: text = "1"
        default: return false
        }
        bytes.append(contentsOf: text.utf8)
        return true
    }

    func appendSetting(_ name: Span<UInt8>, to bytes: inout [UInt8]) -> Bool {
        guard name.matches("COLOUR") else { return false }
        bytes.append(contentsOf: "red".utf8)
        return true
    }

    func forEachSetting(_ body: (_ name: String, _ value: String) -> Void) { body("COLOUR", "red") }
}

/// A client that reads nothing until it is told to: every write to it waits.
final class SlowClient: Sendable {
    private let isWaitedFor = Atomic<Bool>(false)
    private let isReading = Atomic<Bool>(false)
    private let gate = Gate()

    func holdWrite() {
        isWaitedFor.store(true, ordering: .releasing)
        gate.wake()
        wait { isReading.load(ordering: .acquiring) }
    }

    /// Returns when a thread is inside a write.
    func waitForWriter() { wait { isWaitedFor.load(ordering: .acquiring) } }

    func read() {
        isReading.store(true, ordering: .releasing)
        gate.wake()
    }

    private func wait(_ isTrue: () -> Bool) {
        while true {
            let ticket = gate.ticket
            if isTrue() { return }
            _ = gate.wait(after: ticket, until: .never)
        }
    }
}

extension LoadedExtension {
    /// Compiles and loads an extension from C source.
    static func make(_ source: String) throws -> LoadedExtension {
        let compiled = try CompiledExtension(source)
        return try load(path: compiled.path, name: "test")
    }

    /// Calls it once and gives the answer.
    func answer(_ exchange: FakeExchange = FakeExchange()) -> FakeExchange.Answer {
        if case .pending = call(exchange) { exchange.waitForCompletion() }
        return exchange.answer
    }
}
