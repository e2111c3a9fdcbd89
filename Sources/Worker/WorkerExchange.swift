// One request and its answer over a FastCGI connection.
// SPDX-License-Identifier: Apache-2.0

import Exchange
internal import ExtensionHost
internal import Platform
import Synchronization

/// An exchange that an extension in a worker answers; one object serves all requests of a connection.
///
/// Owners of the properties: [worker] the thread that serves the connection; [turn] that thread before and
/// after the call, and whoever has the call's turn while it lasts; [any] every thread.
final class WorkerExchange: ExtensionExchange {
    let request = Request()  // [turn]
    private let connection: FastCGIConnection  // [turn]
    private let stdin: StdinBody  // [turn]
    private let stdout: StdoutResponse  // [turn]
    private var variables: WorkerVariables  // [turn]
    private var logText: [UInt8] = []  // [turn]
    private var logStatus: UInt16 = 0  // [turn]
    private var parser = RequestParser(
        limits: RequestLimits(requestLine: 128 << 10, head: 256 << 10))  // [worker]
    private var head: [UInt8] = []  // [worker]
    private var id: UInt16 = 0  // [worker]
    private var keepsFastCGIConnection = false  // [worker]
    /// The request needs no call: it was answered with an error, or given up by its sender.
    private(set) var isRefused = false  // [worker]
    private let isCompleted = Atomic<Bool>(false)  // [any]
    private let completion = Gate()  // [any]

    init(
        _ connection: FastCGIConnection, _ settings: [(name: String, value: String)],
        libraryPath: String
    ) {
        self.connection = connection
        stdin = StdinBody(connection)
        stdout = StdoutResponse(connection, stdin)
        variables = WorkerVariables(settings: settings, libraryPath: libraryPath)
    }

    // MARK: The request

    /// Reads the request up to the end of FCGI_PARAMS; false when the connection is of no more use.
    func receive(_ begin: WorkerBegin) -> Bool {
        reset(begin)
        guard readParams() else { return false }
        if stdin.isAborted {
            isRefused = true
            return true
        }
        guard variables.params.index(), let length = variables.params.bodyLength else {
            return false
        }
        stdin.setLength(length)
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

    private func reset(_ begin: WorkerBegin) {
        id = begin.id
        keepsFastCGIConnection = begin.keepsConnection
        stdin.begin(id: id)
        stdout.begin(id: id)
        variables.params.clear()
        isRefused = false
        if !logText.isEmpty { logText.removeAll(keepingCapacity: true) }
        logStatus = 0
        isCompleted.store(false, ordering: .relaxed)
    }

    /// FCGI_PARAMS up to its empty record.
    private func readParams() -> Bool {
        while true {
            guard case .begin(let header) = connection.next() else { return false }
            switch header.kind {
            case .params where header.requestID == id:
                let isLast = header.contentLength == 0
                guard
                    connection.readContent(
                        into: &variables.params.bytes, limit: WorkerParams.largest)
                else {
                    return false
                }
                if isLast { return true }
            case .abortRequest where header.requestID == id:
                stdin.abort()
                return connection.skipRecord()
            case .stdin where header.requestID == id, .beginRequest where header.requestID == id:
                return false
            default:
                guard connection.passOver(header) else { return false }
            }
        }
    }

    /// False: the head is not complete.
    private func parseHead() throws(RequestError) -> Bool {
        parser.reset()
        if let own = variables.params.known.head {
            return try variables.params.bytes.withUnsafeBufferPointer {
                (bytes) throws(RequestError) in
                try parser.parse(bytes.span.extracting(own), into: request) != nil
            }
        }
        head.removeAll(keepingCapacity: true)
        variables.params.appendHead(to: &head)
        return try head.withUnsafeBufferPointer { (bytes) throws(RequestError) in
            try parser.parse(bytes.span, into: request) != nil
        }
    }

    private func refuse(status: Int, _ reason: String) {
        isRefused = true
        stdout.fail(status: status, reason: reason, isHead: request.method == .head)
    }

    // MARK: The call

    var bodyLength: Int64 { stdin.length }
    var isConnected: Bool { stdin.isWaitedFor }
    var keepsConnection: Bool { request.keepsAlive }
    var isInProcess: Bool { false }

    func readBody(into room: UnsafeMutableRawBufferPointer) -> Int { stdin.read(into: room) }

    func sendHead(_ head: borrowing ResponseHead) -> Bool {
        stdout.sendHead(head, isHead: request.method == .head)
    }

    func write(_ bytes: UnsafeRawBufferPointer) -> Bool { stdout.write(bytes) }

    func fail(status: Int, reason: String) {
        stdout.fail(
            status: status, reason: "\(request.line): \(reason)", isHead: request.method == .head)
    }

    func appendLog(_ bytes: UnsafeRawBufferPointer) {
        logText.append(contentsOf: bytes.prefix(max(0, 4096 - logText.count)))
    }

    func noteStatus(_ status: Int) { logStatus = UInt16(clamping: status) }

    /// Called by whichever thread ended a PENDING call.
    func complete() {
        isCompleted.store(true, ordering: .releasing)
        completion.wake()
    }

    /// Waits for `complete`; false when the time is up.
    func waitForCompletion(until deadline: Instant) -> Bool {
        while true {
            let ticket = completion.ticket
            if isCompleted.load(ordering: .acquiring) { return true }
            guard completion.wait(after: ticket, until: deadline) else { return false }
        }
    }

    // MARK: The end

    /// Ends the request: the rest of the answer, what the access log shall say, FCGI_END_REQUEST.
    ///
    /// The rest of a body that nobody read may still be on its way. It is read away behind the end, as records
    /// of a request that has ended (FastCGI §3.3), so that the other side never waits for its answer with a
    /// body in hand.
    ///
    /// - Returns: whether the connection is good for another request.
    func end() -> Bool {
        stdin.drop()
        if variables.params.isFromMortise {
            if !stdout.isCut { sendLogText() }
        } else {
            stdout.finishBody()
        }
        stdout.end()
        if stdout.isCut || connection.isBroken { return false }
        if !keepsFastCGIConnection && stdin.isArriving { connection.linger() }
        return keepsFastCGIConnection
    }

    private func sendLogText() {
        guard logStatus != 0 || !logText.isEmpty else { return }
        stdout.appendLogRecord(status: logStatus, text: logText)
    }

    // MARK: The variables

    func append(_ variable: MetaVariable, to bytes: inout [UInt8]) -> Bool {
        variables.append(variable, to: &bytes)
    }

    func appendSetting(_ name: Span<UInt8>, to bytes: inout [UInt8]) -> Bool {
        variables.appendSetting(name, to: &bytes)
    }

    func forEachSetting(_ body: (_ name: String, _ value: String) -> Void) {
        variables.forEachSetting(body)
    }
}
