// A client that sends exactly the bytes it is told to, and says how the connection ended.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc

enum ClientError: Error, Equatable {
    /// connect(2) failed: errno.
    case refused(Int32)
    /// The connection ended before the first byte of a response.
    case closedBeforeResponse
    case resetBeforeResponse
    /// The connection ended within a response.
    case truncated
    /// What arrived is no HTTP/1 response.
    case notHTTP(String)
    case timedOut
    case system(call: String, code: Int32)
}

/// One blocking connection. Every wait ends after `patience` seconds with `ClientError.timedOut`.
final class RawClient {
    let descriptor: Int32
    private var received: [UInt8] = []
    private var consumed = 0

    init(port: UInt16, patience: Int = 20) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        try connect(&address, patience: patience)
        var yes: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &yes, 4)
    }

    init(path: String, patience: Int = 20) throws {
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { room in
            room.copyBytes(from: path.utf8.prefix(107))
        }
        try connect(&address, patience: patience)
    }

    init(ipv6Port port: UInt16, patience: Int = 20) throws {
        descriptor = socket(AF_INET6, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in6()
        address.sin6_family = sa_family_t(AF_INET6)
        address.sin6_port = port.bigEndian
        address.sin6_addr = in6addr_loopback
        try connect(&address, patience: patience)
    }

    deinit { Glibc.close(descriptor) }

    private func connect<Address>(_ address: inout Address, patience: Int) throws {
        let size = socklen_t(MemoryLayout<Address>.size)
        var limit = timeval(tv_sec: patience, tv_usec: 0)
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

    /// Closes so that the server gets a reset.
    func reset() {
        var linger = Glibc.linger(l_onoff: 1, l_linger: 0)
        setsockopt(
            descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<Glibc.linger>.size))
        shutdown(descriptor, Int32(SHUT_RDWR))
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

    private enum Arrival { case bytes, end, reset }

    private func receive() throws -> Arrival {
        var room = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = recv(descriptor, &room, room.count, 0)
            let code = errno
            if count > 0 {
                received.append(contentsOf: room[..<count])
                return .bytes
            }
            if count == 0 { return .end }
            if code == EINTR { continue }
            if code == EAGAIN { throw ClientError.timedOut }
            if code == ECONNRESET || code == EPIPE { return .reset }
            throw ClientError.system(call: "recv", code: code)
        }
    }

    private var pending: ArraySlice<UInt8> { received[consumed...] }

    /// Reads the next final response; `headOnly` for HEAD. Interim (1xx) responses go to `interim`.
    func response(headOnly: Bool = false, interim: ((HTTPResponse) -> Void)? = nil) throws
        -> HTTPResponse
    {
        while true {
            let head = try responseHead()
            guard (100..<200).contains(head.status), head.status != 101 else {
                return try body(of: head, headOnly: headOnly)
            }
            interim?(head)
        }
    }

    /// Reads one response head, interim ones too.
    func responseHead() throws -> HTTPResponse {
        while true {
            if let end = endOfHead(in: pending) {
                let bytes = received[consumed..<end]
                guard let head = HTTPResponse.head(bytes) else {
                    throw ClientError.notHTTP(String(decoding: bytes.prefix(200), as: UTF8.self))
                }
                consumed = end
                return head
            }
            switch try receive() {
            case .bytes: continue
            case .end where pending.isEmpty: throw ClientError.closedBeforeResponse
            case .reset where pending.isEmpty: throw ClientError.resetBeforeResponse
            case .end, .reset: throw ClientError.truncated
            }
        }
    }

    private func endOfHead(in bytes: ArraySlice<UInt8>) -> Int? {
        guard bytes.count >= 4 else { return nil }
        return bytes.withUnsafeBufferPointer { room in
            var index = 3
            while index < room.count {
                if room[index] == 10, room[index - 1] == 13, room[index - 2] == 10,
                    room[index - 3] == 13
                {
                    return bytes.startIndex + index + 1
                }
                index += 1
            }
            return nil
        }
    }

    private func body(of head: HTTPResponse, headOnly: Bool) throws -> HTTPResponse {
        var response = head
        let codings = head.values("Transfer-Encoding")
        let lengths = head.values("Content-Length")
        response.isChunked = codings == ["chunked"]
        if headOnly || head.status == 204 || head.status == 304 {
            response.isComplete = true
        } else if !codings.isEmpty {
            guard response.isChunked, lengths.isEmpty else {
                throw ClientError.notHTTP("\(head.fields)")
            }
            try readChunks(into: &response)
        } else if !lengths.isEmpty {
            guard lengths.count == 1, let length = Int(lengths[0]) else {
                throw ClientError.notHTTP("\(lengths)")
            }
            response.body = try take(length)
            response.isComplete = true
        } else {
            response.body = try rest()
            response.isComplete = true
        }
        return response
    }

    private func readChunks(into response: inout HTTPResponse) throws {
        while true {
            let line = try self.line()
            guard let size = Int(line.prefix { $0 != ";" }, radix: 16) else {
                throw ClientError.notHTTP(line)
            }
            if size == 0 {
                while try self.line() != "" {}
                response.isComplete = true
                return
            }
            response.body += try take(size)
            guard try self.line() == "" else {
                throw ClientError.notHTTP("no line end after a chunk")
            }
        }
    }

    private func line() throws -> String {
        while true {
            if let end = pending.firstIndex(of: 10) {
                let bytes = received[consumed..<end]
                guard bytes.last == 13 else { throw ClientError.notHTTP("a bare line feed") }
                consumed = end + 1
                return String(decoding: bytes.dropLast(), as: UTF8.self)
            }
            guard case .bytes = try receive() else { throw ClientError.truncated }
        }
    }

    private func take(_ count: Int) throws -> [UInt8] {
        while pending.count < count {
            guard case .bytes = try receive() else { throw ClientError.truncated }
        }
        defer { consumed += count }
        return Array(received[consumed..<consumed + count])
    }

    /// All bytes until the server closes; a reset throws.
    func rest() throws -> [UInt8] {
        while true {
            switch try receive() {
            case .bytes: continue
            case .end:
                defer { consumed = received.count }
                return Array(pending)
            case .reset: throw ClientError.truncated
            }
        }
    }

    /// All bytes until the connection ends in whatever way.
    func everything() throws -> [UInt8] {
        while case .bytes = try receive() {}
        defer { consumed = received.count }
        return Array(pending)
    }

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
