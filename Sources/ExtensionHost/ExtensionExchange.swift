// What a call of an extension needs from the exchange it answers, in either home.
// SPDX-License-Identifier: Apache-2.0

package import Exchange

/// One request and its answer as the ISAPI bridge sees it.
///
/// The host implements it over an HTTP connection, the worker over a FastCGI connection. All functions
/// may be called from any thread, one at a time: by whoever has the call's turn. After `complete` none is
/// called again.
package protocol ExtensionExchange: MetaVariableSource {
    /// The request's head.
    var request: Request { get }
    /// The length of the whole body in bytes; -1 = unknown until its end has arrived.
    var bodyLength: Int64 { get }
    /// Whether the whole body has been received. False: it is still arriving, and the extension is called
    /// with what is there.
    var bodyIsComplete: Bool { get }
    /// Body bytes from where the last read ended; waits until there are some. 0 = no more, -1 = the client
    /// is gone.
    func readBody(into room: UnsafeMutableRawBufferPointer) -> Int
    /// The same without waiting: 0 = none are there now.
    func readBodyNow(into room: UnsafeMutableRawBufferPointer) -> Int
    /// Sends the head. Called once, before `write`. False: the client is gone.
    func sendHead(_ head: borrowing ResponseHead) -> Bool
    /// Sends body bytes, already without chunk encoding. False: the client is gone.
    func write(_ bytes: UnsafeRawBufferPointer) -> Bool
    /// Gives up on the response: answers with `status` when no head was sent, else cuts the connection
    /// so that the client can tell. `reason` is for the error log.
    func fail(status: Int, reason: String)
    /// Whether the client is still there, as far as the system can tell.
    var isConnected: Bool { get }
    /// HSE_REQ_IS_KEEP_CONN.
    var keepsConnection: Bool { get }
    /// HSE_REQ_IS_IN_PROCESS: true in the host, false in a worker.
    var isInProcess: Bool { get }
    /// Appends to the access log's query (HSE_APPEND_LOG_PARAMETER, lpszLogData).
    func appendLog(_ bytes: UnsafeRawBufferPointer)
    /// The status for the access log when the extension set dwHttpStatusCode.
    func noteStatus(_ status: Int)
    /// The exchange was ended while the thread that runs it was in the extension, which that thread never leaves:
    /// whatever it had goes on without it. The last call.
    func handlerWasWrittenOff()
    /// The exchange is over: the last call. From whichever thread ended it.
    func complete()
}

extension ExtensionExchange {
    package var bodyIsComplete: Bool { true }

    package func handlerWasWrittenOff() {
        preconditionFailure("a call without a time limit was written off")
    }

    package func readBodyNow(into room: UnsafeMutableRawBufferPointer) -> Int {
        readBody(into: room)
    }
}
