// The host's one connection to one worker process.
// SPDX-License-Identifier: Apache-2.0

package import Control
import Exchange
import Platform

/// A worker process as the host knows it: who it is, the socket to it, and the memory its relays reuse.
package final class WorkerConnection: @unchecked Sendable {
    // because it has one user at a time: the pool while it is idle, then the thread that relays. So all
    // that changes in it is [runner], but for `conduct`, which is [any].

    /// Milliseconds after which a blocking call returns, so that deadlines and the client are seen to.
    static let waitSlice = 100

    /// The supervisor's name for the worker, never used twice.
    package let id: UInt64
    /// Index into `Settings.pools`.
    package let pool: Int
    /// Where it listens.
    private let path: String
    let conduct: ProgramConduct
    /// A blocking stream socket with short time-outs; -1 while there is no connection.
    private(set) var socket: Int32 = -1
    /// Requests sent over this connection.
    var requestsOnConnection = 0
    /// Requests the worker has been sent, by this host.
    package var requestsServed = 0
    /// When the last answer was complete; kept only while the program's conduct is not known.
    var lastAnswer = Instant(nanoseconds: 0)
    /// The process whose connection was found closed between two requests; 0: none.
    private var closer: Int32 = 0

    /// What is to be sent: one request's first records, then its body piece by piece.
    var output: [UInt8] = []
    let input = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 * 1024, alignment: 64)
    var collector = HeadCollector()
    /// The last response's head. In memory of its own: an array in a property is counted at each use.
    let head = UnsafeMutablePointer<ResponseHead>.allocate(capacity: 1)
    var scratch = Variables.Scratch()
    /// Encoded parameters that all requests of one mapping share, and which mapping that is.
    var constants: [UInt8] = []
    var constantsOf: ObjectIdentifier?
    /// The content of a record that is read as a whole.
    var record: [UInt8] = []
    var errors = ErrorLines()
    private var lastRequestID: UInt16 = 0

    /// `socket` is a connection that the worker has accepted and nobody has used; nil: the first request
    /// makes one. It is owned by the new object.
    package init(
        id: UInt64, pid: Int32, pool: Int, path: String, socket: Int32?, conduct: ProgramConduct
    ) {
        self.id = id
        self.pool = pool
        self.path = path
        self.conduct = conduct
        conduct.know(id, as: pid)
        output.reserveCapacity(16 * 1024)
        head.initialize(to: ResponseHead())
        if let socket { use(socket) }
    }

    deinit {
        disconnect()
        conduct.forget(id)
        input.deallocate()
        head.deinitialize(count: 1)
        head.deallocate()
    }

    /// The process that answers now, for logs.
    package var pid: Int32 { conduct.process(of: id) ?? 0 }

    /// The next request's id: another one each time, so that late records of the request before are
    /// recognised.
    func nextRequestID() -> UInt16 {
        lastRequestID = lastRequestID == .max ? 1 : lastRequestID + 1
        return lastRequestID
    }

    // MARK: The connection

    var isConnected: Bool { socket >= 0 }

    /// Makes a connection, which may wait in the worker's queue.
    func connect() throws(SystemError) {
        use(try Socket.connect(.unix(path), milliseconds: Self.waitSlice).take())
    }

    private func use(_ socket: Int32) {
        self.socket = socket
        requestsOnConnection = 0
        Socket.setReceiveTimeout(socket, milliseconds: Self.waitSlice)
        Socket.setSendTimeout(socket, milliseconds: Self.waitSlice)
    }

    /// Ends the connection, whoever else holds the socket: the worker may accept its next one.
    package func disconnect() {
        guard socket >= 0 else { return }
        Socket.shutdownBoth(socket)
        closeDescriptor(socket)
        socket = -1
    }

    /// The worker leaves this host; what the supervisor is to be told. A connection that has carried no
    /// request stays open for the next host, which gets it from the supervisor.
    package func letGo(_ reason: ReleaseReason) -> ReleaseReason {
        guard reason == .idle, isConnected, requestsOnConnection == 0 else {
            disconnect()
            return reason
        }
        closeDescriptor(socket)
        socket = -1
        return .untouched
    }

    /// Whether the open connection may carry one more request; see `ProgramConduct`.
    func mayReuseConnection() -> Bool {
        guard requestsOnConnection > 0 else { return true }
        switch conduct.kind {
        case .keepsConnections: return true
        case .closesConnections: return false
        case .unknown: return staysOpen()
        }
    }

    /// Waits for what is left of the trial. A connection that gets readable is at its end, because there is
    /// nothing to be said between two requests.
    private func staysOpen() -> Bool {
        let end = lastAnswer.adding(seconds: ProgramConduct.trial)
        guard Socket.wait(socket, for: .readable, milliseconds: end.pollTimeout()).isEmpty else {
            foundClosed()
            return false
        }
        conduct.leftConnectionOpen()
        return true
    }

    /// The connection was closed after an answer: by a living program, or because the process has ended.
    func foundClosed() {
        if requestsOnConnection > 0 { closer = pid }
    }

    /// An answer is complete. When it came from the process that closed the connection before this one,
    /// that process has not ended: it does not keep connections.
    func answered() {
        if closer != 0 {
            if closer == pid { conduct.closedConnection() }
            closer = 0
        }
        if conduct.kind == .unknown { lastAnswer = .now }
    }
}
