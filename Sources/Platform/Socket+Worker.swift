// Sockets as a process uses them that serves one connection at a time.
// SPDX-License-Identifier: Apache-2.0

import CPlatform
import Glibc

extension Socket {
    /// Makes calls on the socket wait, or not (man 2 fcntl, O_NONBLOCK).
    package static func setBlocking(_ socket: Int32, _ blocking: Bool) {
        _ = cplatform_set_nonblocking(socket, blocking ? 0 : 1)
    }

    /// Wakes a thread that waits in a receive: it gets what has arrived, then the end.
    package static func shutdownRead(_ socket: Int32) { _ = shutdown(socket, Int32(SHUT_RD)) }

    /// Whether the descriptor is a socket that listens (man 7 socket, SO_ACCEPTCONN).
    package static func isListening(_ socket: Int32) -> Bool {
        var value: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        return getsockopt(socket, SOL_SOCKET, SO_ACCEPTCONN, &value, &length) == 0 && value != 0
    }
}

extension Files {
    /// Takes one byte out of a pipe that has one.
    package static func takeByte(_ pipe: Int32) {
        var byte: UInt8 = 0
        _ = try? retrying("read") { Glibc.read(pipe, &byte, 1) }
    }
}
