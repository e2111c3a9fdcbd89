// Listening sockets that were open before this process was.
// SPDX-License-Identifier: Apache-2.0

import CPlatform
import Glibc

/// A listening stream socket this process was started with, and where it is bound (man 3 sd_listen_fds).
package final class InheritedSocket: Sendable {
    package let descriptor: Descriptor
    /// What whoever opened it calls it (LISTEN_FDNAMES); empty when it has no name.
    package let name: String
    /// Of a Unix socket in the abstract namespace the path begins with a zero byte.
    package let address: SocketAddress

    private init(_ descriptor: consuming Descriptor, name: String, address: SocketAddress) {
        self.descriptor = descriptor
        self.name = name
        self.address = address
    }

    /// The first one (man 3 sd_listen_fds, SD_LISTEN_FDS_START).
    private static let first: Int32 = 3

    /// Takes `count` descriptors from 3 on. Each is asked what it is, whatever was said of it: one that is no
    /// listening stream socket of IPv4, IPv6 or Unix is closed, and `problems` says so.
    ///
    /// To be called before the process opens anything, else a descriptor of its own may be taken for one that
    /// was promised.
    static func take(_ count: Int, names: [String]) -> (
        sockets: [InheritedSocket], problems: [String]
    ) {
        var sockets: [InheritedSocket] = []
        var problems: [String] = []
        for index in 0..<min(count, Int(clamping: Limits.openFiles)) {
            let number = first + Int32(index)
            guard fcntl(number, F_GETFD) >= 0 else {
                problems.append(
                    "LISTEN_FDS promises \(count) descriptors, but \(number) is not open")
                break
            }
            let descriptor = Descriptor(owning: number)
            if let reason = whyUnusable(number) {
                problems.append("the inherited descriptor \(number) \(reason); it is closed")
                continue
            }
            _ = fcntl(number, F_SETFD, FD_CLOEXEC)
            Files.setNonBlocking(number)
            sockets.append(
                InheritedSocket(
                    descriptor, name: names.indices.contains(index) ? names[index] : "",
                    address: address(of: number)))
        }
        return (sockets, problems)
    }

    /// Asks the kernel (man 7 socket): SO_TYPE, SO_ACCEPTCONN and SO_DOMAIN.
    private static func whyUnusable(_ number: Int32) -> String? {
        guard let type = option(number, SO_TYPE) else { return "is no socket" }
        guard type == Int32(SOCK_STREAM.rawValue) else { return "is no stream socket" }
        guard let family = option(number, SO_DOMAIN), [AF_INET, AF_INET6, AF_UNIX].contains(family)
        else { return "is a socket of neither IPv4, IPv6 nor Unix" }
        return option(number, SO_ACCEPTCONN) == 1 ? nil : "is a socket that does not listen"
    }

    private static func option(_ socket: Int32, _ name: Int32) -> Int32? {
        var value: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        return getsockopt(socket, SOL_SOCKET, name, &value, &length) == 0 ? value : nil
    }

    private static func address(of socket: Int32) -> SocketAddress {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        guard cplatform_socket_name(socket, 0, &storage, &length) == 0,
            Int32(storage.ss_family) == AF_UNIX
        else { return SocketAddress(storage) }
        let offset = MemoryLayout<sockaddr_un>.offset(of: \.sun_path)!
        return withUnsafeBytes(of: storage) { bytes in
            var path = bytes[min(offset, Int(length))..<min(Int(length), bytes.count)]
            // A path ends with its zero byte, a name of the abstract namespace with the address (man 7 unix).
            if path.first != 0 { path = path.prefix { $0 != 0 } }
            return .unix(String(decoding: path, as: UTF8.self))
        }
    }
}
