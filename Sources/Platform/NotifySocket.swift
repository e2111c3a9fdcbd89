// Words to the service manager.
// SPDX-License-Identifier: Apache-2.0

import Glibc

/// The datagram socket on which a service manager hears how its service does (man 3 sd_notify).
package final class NotifySocket: Sendable {
    private let socket: Descriptor
    private let manager: SocketAddress

    /// - Parameter address: The value of NOTIFY_SOCKET: a path, or "@" and a name of the abstract namespace.
    ///   EAFNOSUPPORT: it is neither (systemd has "vsock:" too, for virtual machines).
    package init(_ address: String) throws(SystemError) {
        let manager = try Self.manager(at: address)
        let kind = Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let number = try retrying("socket") { Glibc.socket(AF_UNIX, kind, 0) }
        self.manager = manager
        socket = Descriptor(owning: number)
    }

    private static func manager(at address: String) throws(SystemError) -> SocketAddress {
        switch address.utf8.first {
        case UInt8(ascii: "/"): .unix(address)
        case UInt8(ascii: "@"): .unix("\0\(address.dropFirst())")
        default: throw SystemError("socket", code: EAFNOSUPPORT)
        }
    }

    /// Sends one datagram, "NAME=value" a line; never waits. `.wouldBlock`: the manager's queue is full.
    package func send(_ message: String) -> Socket.Transfer {
        let bytes = Array(message.utf8)
        let flags = Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)
        while true {
            let sent = manager.withRaw { address, length in
                sendto(socket.number, bytes, bytes.count, flags, address, length)
            }
            guard let sent else { return .failed(ENAMETOOLONG) }
            if sent >= 0 { return .bytes(sent) }
            let code = errno
            if code == EINTR { continue }
            return code == EAGAIN ? .wouldBlock : .failed(code)
        }
    }
}
