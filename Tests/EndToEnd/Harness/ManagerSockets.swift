// What a service manager holds: the socket it hears on, and the sockets it opens for others.
// SPDX-License-Identifier: Apache-2.0

import Glibc
import TestSupport

/// A socket of a test's own, closed with it.
final class TestSocket: Sendable {
    let number: Int32

    private init(_ number: Int32) { self.number = number }
    deinit { close(number) }

    private static func make(_ family: Int32, _ kind: __socket_type) throws -> TestSocket {
        let number = socket(family, Int32(kind.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard number >= 0 else { throw ClientError.system(call: "socket", code: errno) }
        return TestSocket(number)
    }

    /// At a path, or at "@" and a name of the abstract namespace.
    static func unix(_ path: String, _ kind: __socket_type, listens: Bool = false) throws
        -> TestSocket
    {
        let made = try make(AF_UNIX, kind)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        var bytes = Array(path.utf8)
        if bytes.first == UInt8(ascii: "@") { bytes[0] = 0 }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let length = MemoryLayout<sockaddr_un>.offset(of: \.sun_path)! + bytes.count
        try made.bind(&address, length + (bytes.first == 0 ? 0 : 1), listens)
        return made
    }

    /// A listener of 127.0.0.1, or of ::1.
    static func tcp(_ port: UInt16, isSix: Bool = false) throws -> TestSocket {
        let made = try make(isSix ? AF_INET6 : AF_INET, SOCK_STREAM)
        var one: Int32 = 1
        setsockopt(made.number, SOL_SOCKET, SO_REUSEADDR, &one, 4)
        if isSix {
            var address = sockaddr_in6()
            address.sin6_family = sa_family_t(AF_INET6)
            address.sin6_port = port.bigEndian
            inet_pton(AF_INET6, "::1", &address.sin6_addr)
            try made.bind(&address, MemoryLayout<sockaddr_in6>.size, true)
        } else {
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
            try made.bind(&address, MemoryLayout<sockaddr_in>.size, true)
        }
        return made
    }

    private func bind<Address>(_ address: inout Address, _ length: Int, _ listens: Bool) throws {
        let done = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.bind(number, $0, socklen_t(length))
            }
        }
        guard done == 0, !listens || listen(number, 64) == 0 else {
            throw ClientError.system(call: "bind", code: errno)
        }
    }

    /// One datagram; nil when none comes within so many seconds.
    func receive(seconds: Double) -> String? {
        var entry = pollfd(fd: number, events: Int16(POLLIN), revents: 0)
        guard poll(&entry, 1, Int32(seconds * 1000)) > 0 else { return nil }
        var room = [UInt8](repeating: 0, count: 4096)
        let count = recv(number, &room, room.count, Int32(MSG_DONTWAIT))
        return count < 0 ? nil : String(decoding: room.prefix(count), as: UTF8.self)
    }
}

/// A service manager's ear (man 3 sd_notify).
struct ManagerEar {
    private let socket: TestSocket

    init(_ address: String) throws { socket = try TestSocket.unix(address, SOCK_DGRAM) }

    /// The next message that is no sign of life.
    func next(seconds: Double = 60) -> String? {
        while let message = socket.receive(seconds: seconds * patienceFactor) {
            if message != "WATCHDOG=1" { return message }
        }
        return nil
    }

    /// Whether a sign of life comes; others are passed over.
    func hearsLife(within seconds: Double) -> Bool {
        while let message = socket.receive(seconds: seconds) {
            if message == "WATCHDOG=1" { return true }
        }
        return false
    }

    /// Forgets what has come so far.
    func drain() { while socket.receive(seconds: 0) != nil {} }
}
