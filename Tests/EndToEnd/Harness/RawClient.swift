// A client that sends exactly the bytes it is told to, and says how the connection ended.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
import TestSupport

/// One blocking connection. Every wait ends after `patience` seconds, times the patience asked for, with
/// `ClientError.timedOut`.
final class RawClient {
    let descriptor: Int32
    private let reader: ResponseReader

    convenience init(port: UInt16, patience: Int = 60) throws {
        self.init(family: AF_INET)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        try connect(&address, patience: patience)
        var yes: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &yes, 4)
    }

    convenience init(path: String, patience: Int = 60) throws {
        self.init(family: AF_UNIX)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { room in
            room.copyBytes(from: path.utf8.prefix(107))
        }
        try connect(&address, patience: patience)
    }

    convenience init(ipv6Port port: UInt16, patience: Int = 60) throws {
        self.init(family: AF_INET6)
        var address = sockaddr_in6()
        address.sin6_family = sa_family_t(AF_INET6)
        address.sin6_port = port.bigEndian
        address.sin6_addr = in6addr_loopback
        try connect(&address, patience: patience)
    }

    private init(family: Int32) {
        let descriptor = socket(
            family, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        self.descriptor = descriptor
        reader = ResponseReader { try Self.receive(descriptor) }
    }

    deinit { Glibc.close(descriptor) }

    private func connect<Address>(_ address: inout Address, patience: Int) throws {
        let size = socklen_t(MemoryLayout<Address>.size)
        var limit = timeval(tv_sec: Int(Double(patience) * patienceFactor), tv_usec: 0)
        setsockopt(
            descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(
            descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        let fd = descriptor
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(fd, $0, size)
            }
        }
        let code = errno
        guard result == 0 else { throw ClientError.refused(code) }
    }

    // MARK: sending

    func send(_ text: String) throws { try send(Array(text.utf8)) }

    func send(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes { room in
                Glibc.send(
                    descriptor, room.baseAddress! + sent, room.count - sent, Int32(MSG_NOSIGNAL))
            }
            let code = errno
            if count > 0 { sent += count; continue }
            if code == EINTR { continue }
            if code == EAGAIN { throw ClientError.timedOut }
            throw ClientError.system(call: "send", code: code)
        }
    }

    /// Sends what the server accepts and does not mind when it has closed.
    func sendIgnoringClose(_ bytes: [UInt8]) throws {
        do { try send(bytes) } catch ClientError.system(_, let code)
            where code == EPIPE || code == ECONNRESET
        {}
    }

    /// Half-closes: the server sees the end of what this client sends.
    func endSending() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// Ends both directions; the server gets a reset when this client is gone.
    func reset() {
        resetOnClose()
        shutdown(descriptor, Int32(SHUT_RDWR))
    }

    /// The server gets a reset, and no end of the stream before it, when this client is gone.
    func resetOnClose() {
        var linger = Glibc.linger(l_onoff: 1, l_linger: 0)
        setsockopt(
            descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<Glibc.linger>.size))
    }

    var localPort: UInt16 {
        var address = sockaddr_in()
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        _ = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                getsockname(descriptor, $0, &size)
            }
        }
        return UInt16(bigEndian: address.sin_port)
    }

    // MARK: receiving

    private static func receive(_ descriptor: Int32) throws -> ResponseReader.Arrival {
        var room = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = recv(descriptor, &room, room.count, 0)
            let code = errno
            if count > 0 { return .bytes(Array(room[..<count])) }
            if count == 0 { return .end }
            if code == EINTR { continue }
            if code == EAGAIN { throw ClientError.timedOut }
            if code == ECONNRESET || code == EPIPE { return .reset }
            throw ClientError.system(call: "recv", code: code)
        }
    }

    /// Reads the next final response; `headOnly` for HEAD. Interim (1xx) responses go to `interim`.
    func response(headOnly: Bool = false, interim: ((HTTPResponse) -> Void)? = nil) throws
        -> HTTPResponse
    {
        try reader.response(headOnly: headOnly, interim: interim)
    }

    /// Reads one response head, interim ones too.
    func responseHead() throws -> HTTPResponse { try reader.responseHead() }

    /// Waits until that text has come, which stays to be read.
    func wait(for text: String) throws -> Bool { try reader.wait(for: text) }

    /// The rest of a response whose head was read.
    func body(of head: HTTPResponse) throws -> HTTPResponse {
        var response = head
        try reader.readBody(into: &response)
        return response
    }

    /// All bytes until the server closes; a reset throws.
    func rest() throws -> [UInt8] { try reader.rest() }

    /// All bytes until the connection ends in whatever way.
    func everything() throws -> [UInt8] { try reader.everything() }

    /// Waits until the server closes; true when it sent nothing more.
    func isClosedSilently() throws -> Bool {
        try everything().isEmpty
    }
}

extension RawClient {
    /// One request on this connection, with the fields a client would send.
    func exchange(
        _ method: String = "GET", _ target: String, fields: [String] = [], body: [UInt8]? = nil
    ) throws -> HTTPResponse {
        var head = "\(method) \(target) HTTP/1.1\r\nHost: localhost\r\n"
        for field in fields { head += field + "\r\n" }
        if let body { head += "Content-Length: \(body.count)\r\n" }
        try send(Array((head + "\r\n").utf8) + (body ?? []))
        return try response(headOnly: method == "HEAD")
    }
}
