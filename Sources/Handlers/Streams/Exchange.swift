// One request and its answer over an HTTP connection.
// SPDX-License-Identifier: Apache-2.0

import Synchronization

package import Exchange
package import ExtensionHost
package import Platform

/// How a handler left an exchange.
package enum Outcome: Sendable {
    /// The response is complete (perhaps still in the output buffer).
    case done
    /// Somebody calls `complete()` or schedules it later; no thread is held.
    case pending
}

/// Runs an exchange's connection again on a thread of the pool: what `Exchange` needs from Server.
package protocol ExchangeOwner: AnyObject, Sendable {
    func schedule(_ exchange: Exchange)
}

/// What an exchange needs to know of the configuration.
package struct ExchangeLimits: Sendable {
    /// Bytes of a response kept for a slow client before its sender waits.
    package var responseBuffer: Int
    /// Seconds a sender waits for a client that reads nothing.
    package var sendTimeout: Double

    package init(responseBuffer: Int, sendTimeout: Double) {
        self.responseBuffer = responseBuffer
        self.sendTimeout = sendTimeout
    }
}

/// One request with its body received, and the answer to it.
///
/// A handler uses it from one thread at a time. Objects are reused by later requests: whoever keeps one
/// past its end must hold a ticket that can be revoked (`PendingCall`, a place in a queue).
package final class Exchange {
    package let request = Request()
    package var body = RequestBody()
    package var route = Route()
    /// The client's socket; -1 between exchanges.
    package private(set) var socket: Int32 = -1
    package private(set) var remote = SocketAddress.unix("")
    package private(set) var local = SocketAddress.unix("")
    /// The connection; nil between exchanges.
    package private(set) unowned(unsafe) var owner: (any ExchangeOwner)?
    /// The worker that a parked exchange has been given.
    package var assignedWorker: WorkerConnection?
    /// A PENDING call of an extension: revoked when its deadline passes.
    package var pendingCall: PendingCall?
    package let limits: ExchangeLimits
    package let errorLog: ErrorLog

    // MARK: The response, see Exchange+Response.swift

    enum Framing {
        case none
        case length(left: Int64)
        case chunked
        case untilClose
        /// HEAD, 204, 304: whatever is written is dropped.
        case bodyless
    }

    var framing = Framing.none
    /// The status sent, or the one noted for the log.
    package internal(set) var status = 0
    package internal(set) var headSent = false
    /// The connection may serve another request after this one.
    package internal(set) var keepsConnectionAfter = true
    /// The response was cut: the client must be able to tell.
    package internal(set) var isCut = false
    /// A send failed: the client is gone.
    package internal(set) var isBroken = false
    /// Body bytes sent or buffered, for the access log.
    package internal(set) var bodyBytes: Int64 = 0
    package internal(set) var logNote: [UInt8] = []
    var notedStatus = 0
    /// What was received of a request that could not be parsed, for the access log.
    package var refused: [UInt8] = []
    package var started = Instant(nanoseconds: 0)

    // MARK: The output, see Exchange+Output.swift

    /// Guards the output against the monitor, which flushes what has lain too long.
    let lock = Mutex<Void>(())
    var output: [UInt8] = []
    /// Counts writes, and remembers the count the monitor saw.
    var writes: UInt32 = 0
    var staleMark: UInt32 = 0
    var outputStart = 0
    var file: Descriptor?
    var fileOffset: Int64 = 0
    var fileLeft: Int64 = 0
    var date = CachedDate()

    package init(limits: ExchangeLimits, errorLog: ErrorLog) {
        self.limits = limits
        self.errorLog = errorLog
    }

    /// Makes ready for a connection. What the last exchange left is gone since `end()`.
    package func begin(
        owner: any ExchangeOwner, socket: Int32, remote: SocketAddress, local: SocketAddress
    ) {
        self.owner = owner
        // Without the lock: whoever flushes for us looks at the socket only while there is output.
        self.socket = socket
        self.remote = remote
        self.local = local
    }

    /// Forgets one exchange before the next on the same connection.
    package func reset() {
        guard headSent || route.site != nil || body.length > 0 else { return }
        body.reset()
        route.forget()
        assignedWorker = nil
        pendingCall = nil
        framing = .none
        status = 0
        headSent = false
        keepsConnectionAfter = true
        isCut = false
        isBroken = false
        bodyBytes = 0
        logNote.removeAll(keepingCapacity: true)
        notedStatus = 0
        refused.removeAll(keepingCapacity: true)
    }

    /// Lets go of the connection.
    package func end() {
        reset()
        lock.withLock { _ in
            if hasOutput || output.capacity > 64 * 1024 { forgetOutput() }
            socket = -1
        }
        owner = nil
    }

    /// One line in the error log, with the site and the handler.
    package func log(_ level: LogLevel, _ text: String) {
        errorLog.log(level, text, site: route.site?.name, handler: route.handlerName)
    }
}
