// A FastCGI client and the worker it speaks to, in one process.
// SPDX-License-Identifier: Apache-2.0

import Exchange
import ExtensionHost
import Platform
import Synchronization
import TestExtensions
import Worker

/// A worker on a thread of its own, with one extension compiled for it.
final class RunningWorker: Sendable {
    let path: String
    private let folder: PrivateFolder
    private let shutdown: Shutdown
    private let ended = Atomic<Bool>(false)

    init(
        _ source: String, settings: [(name: String, value: String)] = [],
        requestTimeout: Double = 30
    ) throws {
        let compiled = try CompiledExtension(source)
        let loaded = try LoadedExtension.load(path: compiled.path, name: "test")
        folder = try PrivateFolder(prefix: "mortise-test-", in: ["/tmp"])
        path = folder.path + "/worker"
        shutdown = try Shutdown()
        var options = FastCGIWorker.Options()
        options.settings = settings
        options.requestTimeout = requestTimeout
        let worker = FastCGIWorker(loaded, options, shutdown)
        let listener = try Socket.listen(.unix(path), blocking: true).take()
        try Thread.start(named: "worker") { [self] in
            try? worker.serve(listener)
            closeDescriptor(listener)
            ended.store(true, ordering: .releasing)
        }
    }

    deinit { folder.remove() }

    func connect() throws -> WorkerClient { WorkerClient(try Socket.connect(.unix(path)).take()) }

    func stop() { shutdown.stop() }

    func waitForEnd() -> Bool {
        for _ in 0..<60_000 where !ended.load(ordering: .acquiring) {
            Thread.sleep(milliseconds: 1)
        }
        return ended.load(ordering: .acquiring)
    }
}

/// What came back for one request.
struct WorkerAnswer: Equatable {
    var output: [UInt8] = []
    var errors = ""
    var log: [UInt8]?
    var status: FastCGI.ProtocolStatus?
    /// The connection ended before FCGI_END_REQUEST.
    var isCut = false
    var kinds: [UInt8] = []

    var text: String { String(decoding: output, as: UTF8.self) }
    var body: String { text.components(after: "\r\n\r\n") }
}

extension String {
    func components(after separator: String) -> String {
        let bytes = Array(utf8)
        let mark = Array(separator.utf8)
        guard bytes.count >= mark.count else { return "" }
        for start in 0...bytes.count - mark.count
        where Array(bytes[start..<start + mark.count]) == mark {
            return String(decoding: bytes[(start + mark.count)...], as: UTF8.self)
        }
        return ""
    }
}

/// One connection to a worker.
final class WorkerClient {
    static let get: [(String, String)] = [
        ("REQUEST_METHOD", "GET"), ("REQUEST_URI", "/x?q=1"), ("SERVER_PROTOCOL", "HTTP/1.1"),
        ("SCRIPT_NAME", "/x"), ("QUERY_STRING", "q=1"), ("SERVER_NAME", "test"),
        ("HTTP_HOST", "test"),
        ("DOCUMENT_ROOT", "/srv/"), ("REMOTE_ADDR", "192.0.2.1"), ("HTTP_ACCEPT_LANGUAGE", "eo"),
        ("SERVER_PORT", "80"),
    ]

    let socket: Int32
    private var decoder = FastCGIDecoder()
    private var input: [UInt8] = []
    private var offset = 0

    init(_ socket: Int32) {
        self.socket = socket
        Socket.setReceiveTimeout(socket, milliseconds: 20_000)
    }

    deinit { closeDescriptor(socket) }

    func send(_ bytes: [UInt8]) {
        var rest = bytes[...]
        while !rest.isEmpty {
            guard case .bytes(let count) = rest.withUnsafeBytes({ Socket.send(socket, $0) }) else {
                return
            }
            rest = rest.dropFirst(count)
        }
    }

    /// The records of one request.
    static func request(
        _ params: [(String, String)] = get, body: [UInt8] = [], id: UInt16 = 1, keeps: Bool = true,
        role: FastCGI.Role = .responder, recordSize: Int = 65535
    ) -> [UInt8] {
        var bytes: [UInt8] = []
        FastCGI.appendBegin(role, id: id, keepsConnection: keeps, to: &bytes)
        var stream = FastCGIParams(id: id)
        let length = body.isEmpty ? [] : [("CONTENT_LENGTH", "\(body.count)")]
        for (name, value) in params + length {
            try? stream.append(Array(name.utf8).span, Array(value.utf8).span, to: &bytes)
        }
        stream.finish(&bytes)
        var start = 0
        while start < body.count {
            let piece = Array(body[start..<min(body.count, start + recordSize)])
            FastCGI.appendContent(piece.span, .stdin, id: id, to: &bytes)
            start += piece.count
        }
        FastCGI.appendEmpty(.stdin, id: id, to: &bytes)
        return bytes
    }

    /// Reads records up to the end of the request.
    func answer() -> WorkerAnswer {
        var answer = WorkerAnswer()
        var content: [UInt8] = []
        var kind: FastCGI.Kind?
        while true {
            guard let step = try? decoder.next(input.span, &offset) else {
                guard receive() else {
                    answer.isCut = true
                    return answer
                }
                continue
            }
            switch step {
            case .begin(let header):
                kind = header.kind
                answer.kinds.append(header.type)
                content.removeAll()
            case .content(let range): content += input[range]
            case .end:
                switch kind {
                case .stdout: answer.output += content
                case .stderr: answer.errors += String(decoding: content, as: UTF8.self)
                case .accessLog: answer.log = content
                case .endRequest:
                    answer.status = (try? FastCGIEnd(content.span))?.protocolStatus
                    return answer
                case .getValuesResult, .unknownType:
                    answer.output = content
                    return answer
                default: return answer
                }
            }
        }
    }

    private func receive() -> Bool {
        offset = 0
        input = [UInt8](repeating: 0, count: 65536)
        guard
            case .bytes(let count) = input.withUnsafeMutableBytes({
                Socket.receive(socket, into: $0)
            })
        else {
            input = []
            return false
        }
        input.removeLast(65536 - count)
        return true
    }
}
