// A client and a worker made of socket pairs and threads.
// SPDX-License-Identifier: Apache-2.0

import Control
import Exchange
import ExtensionHost
import Platform
import Synchronization
import TestSupport

@testable import Handlers

/// Something done on a thread of its own; `value` waits for it.
final class Background<Value: Sendable>: Sendable {
    private let result = Mutex<Value?>(nil)

    init(_ body: @escaping @Sendable () -> Value) {
        do {
            try Thread.start(named: "peer") {
                self.result.withLock { [value = body()] in $0 = value }
            }
        } catch {
            fatalError("\(error)")
        }
    }

    var value: Value {
        while true {
            if let value = result.withLock({ $0 }) { return value }
            Thread.sleep(milliseconds: 1)
        }
    }
}

/// An exchange, and the client that gets its answer.
final class Client {
    private let wire: Wire
    var exchange: Exchange { wire.exchange }

    /// `request` is a head; the body is held in memory, or in a file when `spooled`.
    init(
        _ request: String, body: [UInt8] = [], spooled: Bool = false, log path: String? = nil
    ) throws {
        let log = ErrorLog()
        log.open(path: path ?? "/dev/null")
        wire = try Wire(request, log: log)
        exchange.begin(
            runner: NoRunner.shared, remote: .ipv4(0x7f00_0001, port: 4711),
            local: .ipv4(0x7f00_0001, port: 8080))
        wire.receive(body, memory: spooled ? 0 : 8 << 20)
    }

    /// The client goes away without a word. Any thread.
    var leave: @Sendable () -> Void {
        let response = Departing(response: wire.response)
        return { response.response.leave() }
    }

    /// What the client was sent, once the exchange is over.
    func response() -> HTTPResponse {
        var response = ResponseReader.response(
            in: wire.response.bytes, headOnly: exchange.request.method == .head)
        if exchange.isCut || wire.response.isCut { response.isComplete = false }
        return response
    }

    private struct Departing: @unchecked Sendable {
        // because leaving is one atomic store
        let response: WireResponse
    }
}

final class NoRunner: ExchangeRunner {
    static let shared = NoRunner()
    func resume(_ exchange: Exchange) {}
    func handlerWasWrittenOff(_ exchange: Exchange) {}
}

/// Who gives a pool nothing it does not have.
struct NoSupply: WorkerSupply {
    func send(_ message: HostMessage, descriptors: [Int32]) -> Bool { true }
}

/// What a worker was asked.
struct Asked: Sendable, Equatable {
    var id: UInt16 = 0
    var params: [String: String] = [:]
    var body: [UInt8] = []
    /// The types of the records, in order, equal neighbours once.
    var kinds: [UInt8] = []
    /// FCGI_KEEP_CONN.
    var keepsConnection = false
}

/// The far end of a worker connection, to be as good or as evil as a test wants.
final class FakeWorker: Sendable {
    let connection: WorkerConnection
    let socket: Int32

    /// A worker that nobody can connect to a second time.
    init() throws {
        let pair = try Socket.pair()
        connection = WorkerConnection(
            id: 1, pid: 77, pool: 0, path: "/nonexistent", socket: pair.0,
            conduct: ProgramConduct())
        socket = pair.1
    }

    init(_ connection: WorkerConnection, accepted socket: Int32) {
        self.connection = connection
        self.socket = socket
    }

    func close() { Socket.shutdownBoth(socket) }

    func send(_ bytes: [UInt8]) { _ = sends(bytes) }

    /// Whether the host, or rather its kernel, has taken it all.
    func sends(_ bytes: [UInt8]) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let result = bytes.withUnsafeBytes {
                Socket.send(socket, UnsafeRawBufferPointer(rebasing: $0[sent...]))
            }
            guard case .bytes(let count) = result else { return false }
            sent += count
        }
        return true
    }

    /// Reads records until `isEnough`, or until the server is gone; `each` sees every piece of the body.
    func read(
        until isEnough: (Asked, UInt8) -> Bool = { $1 == 5 && $0.kinds.last == 5 },
        each: (ArraySlice<UInt8>) -> Void = { _ in }
    ) -> Asked {
        var asked = Asked()
        var decoder = FastCGIDecoder()
        var header = FastCGIHeader(type: 0, requestID: 0, contentLength: 0, paddingLength: 0)
        var params: [UInt8] = []
        var room = [UInt8](repeating: 0, count: 65536)
        while case .bytes(let count) = room.withUnsafeMutableBytes({
            Socket.receive(socket, into: $0)
        }) {
            let bytes = Array(room[..<count])
            var offset = 0
            while let step = try? decoder.next(bytes.span, &offset) {
                switch step {
                case .begin(let next):
                    header = next
                    asked.id = next.requestID
                    if asked.kinds.last != next.type { asked.kinds.append(next.type) }
                case .content(let range):
                    if header.kind == .beginRequest {
                        let begin = try? FastCGIBegin(bytes.span.extracting(range))
                        asked.keepsConnection = begin?.keepsConnection == true
                    }
                    if header.kind == .params { params += bytes[range] }
                    if header.kind == .stdin {
                        asked.body += bytes[range]
                        each(bytes[range])
                    }
                case .end:
                    if header.kind == .params, header.contentLength == 0 {
                        asked.params = Self.pairs(params)
                    }
                    let isEnd = header.contentLength == 0
                    if isEnd, isEnough(asked, header.type) { return asked }
                }
            }
        }
        return asked
    }

    private static func pairs(_ bytes: [UInt8]) -> [String: String] {
        var reader = FastCGIPairs()
        var found: [String: String] = [:]
        while let pair = try? reader.next(in: bytes.span) {
            found[String(decoding: bytes[pair.name], as: UTF8.self)] =
                String(decoding: bytes[pair.value], as: UTF8.self)
        }
        return found
    }
}

/// A foreign program with a socket of its own, which a host connects to when it has a request.
final class FakeProgram: Sendable {
    private let folder: TemporaryFolder
    private let listener: Int32
    let connection: WorkerConnection
    let conduct = ProgramConduct()

    /// The host has a connection already, as the supervisor gives it one, or has none.
    init(isConnected: Bool = true, backlog: Int32 = 16) throws {
        folder = try TemporaryFolder()
        let path = "\(folder.path)/w1"
        listener = try Socket.listen(.unix(path), backlog: backlog, blocking: true).take()
        connection = WorkerConnection(
            id: 1, pid: 77, pool: 0, path: path,
            socket: isConnected ? try Socket.connect(.unix(path)).take() : nil, conduct: conduct)
    }

    deinit { closeDescriptor(listener) }

    /// The next connection; nil when none comes within twenty seconds.
    func accept() -> FakeWorker? {
        guard !Socket.wait(listener, for: .readable, milliseconds: 20_000).isEmpty,
            let accepted = try? Socket.accept(listener)
        else { return nil }
        Socket.setBlocking(accepted.socket, true)
        return FakeWorker(connection, accepted: accepted.socket)
    }

    /// Ends the program, and its socket with it.
    func end() { Socket.shutdownBoth(listener) }
}

/// Records as a worker writes them.
enum Says {
    static func out(_ text: String, _ id: UInt16) -> [UInt8] { out(Array(text.utf8), id) }

    static func out(_ bytes: [UInt8], _ id: UInt16) -> [UInt8] {
        var record: [UInt8] = []
        FastCGI.appendContent(bytes.span, .stdout, id: id, to: &record)
        return record
    }

    static func empty(_ kind: FastCGI.Kind, _ id: UInt16) -> [UInt8] {
        var record: [UInt8] = []
        FastCGI.appendEmpty(kind, id: id, to: &record)
        return record
    }

    static func content(_ kind: FastCGI.Kind, _ bytes: [UInt8], _ id: UInt16) -> [UInt8] {
        var record: [UInt8] = []
        FastCGI.appendContent(bytes.span, kind, id: id, to: &record)
        return record
    }

    static func end(
        _ id: UInt16, _ status: FastCGI.ProtocolStatus = .requestComplete, application: UInt32 = 0
    ) -> [UInt8] {
        var record: [UInt8] = []
        FastCGI.appendEnd(status, applicationStatus: application, id: id, to: &record)
        return record
    }

    /// A whole good answer.
    static func answer(_ text: String, _ id: UInt16) -> [UInt8] {
        out("Content-Type: text/plain\r\n\r\n\(text)", id) + empty(.stdout, id) + end(id)
    }
}
