// One request and its answer over a FastCGI connection.
// SPDX-License-Identifier: Apache-2.0

import Exchange
internal import ExtensionHost
internal import Platform

/// An exchange that an extension in a worker answers; one object serves all requests of a connection.
final class WorkerExchange: ExtensionExchange {
    let connection: FastCGIConnection
    let request = Request()
    let settings: [(name: String, value: String)]
    let libraryPath: String
    var params = WorkerParams()
    var id: UInt16 = 0
    /// The body's length; -1 = unknown.
    private(set) var bodyLength: Int64 = 0
    /// The request needs no call: it was answered with an error, or given up by its sender.
    private(set) var isRefused = false

    // MARK: FCGI_STDIN, see WorkerExchange+Input.swift

    /// Content of the current record that no reader has taken yet; in the connection's buffer.
    var inputRest = UnsafeBufferPointer<UInt8>(start: nil, count: 0)
    var inputRead: Int64 = 0
    var inputEnded = false
    var isAborted = false

    // MARK: FCGI_STDOUT, see WorkerExchange+Output.swift

    var output: [UInt8] = []
    /// Where the open record's header stands in `output`; -1 = none is open.
    var openRecord = -1
    var headSent = false
    /// Bytes the body still lacks of its Content-Length; nil = the length is not declared.
    var contentLeft: Int64?
    var lastSend = Instant(nanoseconds: 0)
    /// The answer was cut: the connection has to be closed for the other side to see it.
    var isCut = false
    var logText: [UInt8] = []
    var logStatus: UInt16 = 0

    private var parser = RequestParser(
        limits: RequestLimits(requestLine: 128 << 10, head: 256 << 10))
    private var head: [UInt8] = []
    /// Memory for a response's head that does not fit the open record.
    var scratch: [UInt8] = []
    private let completion: Descriptor
    private let completed: Descriptor

    init?(
        _ connection: FastCGIConnection, _ settings: [(name: String, value: String)],
        libraryPath: String
    ) {
        guard let (read, write) = try? Files.pipe() else { return nil }
        completion = Descriptor(owning: read)
        completed = Descriptor(owning: write)
        self.connection = connection
        self.settings = settings
        self.libraryPath = libraryPath
    }

    /// Reads the request up to the end of FCGI_PARAMS; false when the connection is of no more use.
    func receive(_ begin: WorkerBegin) -> Bool {
        reset(begin.id)
        guard readParams() else { return false }
        if isAborted {
            isRefused = true
            return true
        }
        guard params.index(), readLength() else { return false }
        do throws(RequestError) {
            if try !parseHead() {
                refuse(status: 400, "the request's variables make no complete head")
            }
        } catch {
            refuse(
                status: error.status, "the request's variables make no valid head: \(error.reason)")
        }
        return true
    }

    /// False: the head is not complete.
    private func parseHead() throws(RequestError) -> Bool {
        parser.reset()
        if let own = params.known.head {
            return try params.bytes.withUnsafeBufferPointer { (bytes) throws(RequestError) in
                try parser.parse(bytes.span.extracting(own), into: request) != nil
            }
        }
        head.removeAll(keepingCapacity: true)
        params.appendHead(to: &head)
        return try head.withUnsafeBufferPointer { (bytes) throws(RequestError) in
            try parser.parse(bytes.span, into: request) != nil
        }
    }

    private func reset(_ id: UInt16) {
        self.id = id
        params.clear()
        isRefused = false
        inputRest = .init(start: nil, count: 0)
        inputRead = 0
        inputEnded = false
        isAborted = false
        if !output.isEmpty || output.capacity > 1 << 20 {
            output.removeAll(keepingCapacity: output.capacity <= 1 << 20)
        }
        openRecord = -1
        headSent = false
        contentLeft = nil
        isCut = false
        if !logText.isEmpty { logText.removeAll(keepingCapacity: true) }
        logStatus = 0
    }

    private func refuse(status: Int, _ reason: String) {
        isRefused = true
        fail(status: status, reason: reason)
    }

    /// FCGI_PARAMS up to its empty record.
    private func readParams() -> Bool {
        while true {
            guard case .begin(let header) = connection.next() else { return false }
            switch header.kind {
            case .params where header.requestID == id:
                let isLast = header.contentLength == 0
                guard connection.readContent(into: &params.bytes, limit: WorkerParams.largest)
                else {
                    return false
                }
                if isLast { return true }
            case .abortRequest where header.requestID == id:
                isAborted = true
                return connection.skipRecord()
            case .stdin where header.requestID == id, .beginRequest where header.requestID == id:
                return false
            default:
                guard connection.passOver(header) else { return false }
            }
        }
    }

    /// CONTENT_LENGTH, empty or absent without a body. Digits alone (RFC 3875 §4.1.2).
    private func readLength() -> Bool {
        bodyLength = 0
        guard let value = params.known.contentLength, !value.isEmpty else {
            // The host sends a body's length whenever there is a body.
            if params.known.head != nil { return true }
            if let coding = params.value("HTTP_TRANSFER_ENCODING"), !coding.isEmpty {
                bodyLength = -1
            }
            return true
        }
        guard value.count <= 18 else { return false }
        return params.bytes.withUnsafeBufferPointer { bytes in
            for byte in bytes[value] {
                guard isDigit(byte) else { return false }
                bodyLength = bodyLength * 10 + Int64(byte - UInt8(ascii: "0"))
            }
            return true
        }
    }

    // MARK: The call

    /// Called by whichever thread ended a PENDING call.
    func complete() {
        withUnsafeBytes(of: UInt8(0)) { try? Files.writeAll(completed.number, $0) }
    }

    /// Waits for `complete`; false when the time is up.
    func waitForCompletion(seconds: Double) -> Bool {
        let deadline = Instant.now.adding(seconds: seconds)
        let ready = Socket.wait(
            completion.number, for: .readable, milliseconds: deadline.pollTimeout())
        guard !ready.isEmpty else { return false }
        Files.takeByte(completion.number)
        return true
    }

    var keepsConnection: Bool { request.keepsAlive }
    var isInProcess: Bool { false }

    func appendLog(_ bytes: UnsafeRawBufferPointer) {
        logText.append(contentsOf: bytes.prefix(max(0, 4096 - logText.count)))
    }

    func noteStatus(_ status: Int) { logStatus = UInt16(clamping: status) }
}
