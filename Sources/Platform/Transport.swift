// A client's connection as bytes, whatever carries them.
// SPDX-License-Identifier: Apache-2.0

import CPlatform
import Glibc

/// The only user of a client's socket: receives, sends, waits and shuts down. Plain TCP and Unix sockets.
///
/// A value that names the socket and does not own it: its connection closes it, once, when neither its
/// reader nor its sender is at work.
package struct Transport: Sendable {
    private let socket: Int32

    /// Nothing to read from or write to.
    package static let none = Transport(-1)

    package init(_ socket: Int32) { self.socket = socket }

    package var isOpen: Bool { socket >= 0 }
    /// For the poller, and to be handed to another process.
    package var descriptor: Int32 { socket }

    package func receive(into room: UnsafeMutableRawBufferPointer) -> Socket.Transfer {
        Socket.receive(socket, into: room, dontWait: true)
    }

    /// `more`: further bytes follow at once.
    package func send(_ bytes: UnsafeRawBufferPointer, more: Bool = false) -> Socket.Transfer {
        Socket.send(socket, bytes, more: more)
    }

    /// Both pieces, with one call when the client takes them.
    package func send(
        _ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer
    ) -> Socket.Transfer {
        Socket.send(socket, first, second)
    }

    /// From a file; `.end` when the file is shorter than asked for.
    package func sendFile(_ file: Int32, offset: inout Int64, count: Int) -> Socket.Transfer {
        Socket.sendFile(socket, from: file, offset: &offset, count: count)
    }

    /// Whether the client has sent something that has not been received. Its end is nothing.
    package var holdsBytes: Bool {
        var byte: UInt8 = 0
        let found = withUnsafeMutableBytes(of: &byte) {
            Socket.receive(socket, into: $0, peek: true, dontWait: true)
        }
        if case .bytes = found { return true }
        return false
    }

    /// Waits for bytes of the client; false after the time-out.
    package func waitForBytes(milliseconds: Int32) -> Bool {
        !Socket.wait(socket, for: .readable, milliseconds: milliseconds).isEmpty
    }

    /// Bytes that were sent and have not reached the client yet (man 7 tcp and man 7 unix, SIOCOUTQ):
    /// they tell a client that reads slowly from one that does not read.
    package var undelivered: Int64 { Int64(max(0, cplatform_undelivered(socket))) }

    /// The client sees the end of the stream; it may still send.
    package func shutdownWrite() { Socket.shutdownWrite(socket) }

    /// Ends both directions; whoever waits for the socket is woken.
    package func shutdownBoth() { Socket.shutdownBoth(socket) }

    /// The close that follows is a reset: the client can tell that its answer is not whole.
    package func resetOnClose() { Socket.setResetOnClose(socket) }

    package func close() { closeDescriptor(socket) }
}
