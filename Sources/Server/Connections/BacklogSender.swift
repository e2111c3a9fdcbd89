// Who sends what waits in a backlog.
// SPDX-License-Identifier: Apache-2.0

/// What a `ResponseBacklog` asks of its sender when a writer has to wait: the output of a connection.
protocol BacklogSender {
    /// The client's address, for the log.
    var client: String { get }
    /// False once the client is gone or was given up.
    var isConnected: Bool { get }
    /// The calling thread, which writes, is one of the server's: only so many of them may wait for clients.
    var holdsThread: Bool { get }
    /// Tries to send, so that somebody is told when the client takes more.
    func sendBacklog()
    /// The response ends here.
    func cut()
}
