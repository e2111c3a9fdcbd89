// The request as everybody behind the parser sees it: bytes checked once, and where in them what stands.
// SPDX-License-Identifier: Apache-2.0

/// One HTTP request's head, in memory that the next request reuses.
///
/// `bytes` is the head as the client sent it, request line to blank line; the other properties point
/// into it. Only `RequestParser` fills it, so whoever reads it may rely on RFC 9110 and RFC 9112 syntax.
package final class Request {
    /// A run of bytes in `Request.bytes`.
    package struct Slice: Sendable, Equatable {
        package var start: UInt32
        package var count: UInt32
        package init(start: Int, count: Int) {
            self.start = UInt32(truncatingIfNeeded: start)
            self.count = UInt32(truncatingIfNeeded: count)
        }
        package static let none = Slice(start: 0, count: 0)
        package var range: Range<Int> { Int(start)..<Int(start) + Int(count) }
        package var isEmpty: Bool { count == 0 }
    }

    /// One field line: name and value without the white space around it.
    package struct Field: Sendable {
        package var name: Slice
        package var value: Slice
    }

    package enum Method: Sendable {
        case get, head, post, put, delete, options, patch, trace, connect
        /// Another method of the IANA registry, such as PROPFIND.
        case registered
        /// No method anybody has heard of: 501.
        case unknown
    }

    /// The head as received, request line to blank line, CRLFs included.
    package internal(set) var bytes: [UInt8] = []
    package internal(set) var method: Method = .get
    package internal(set) var methodName = Slice.none
    /// The request target as received (RFC 9112 §3.2).
    package internal(set) var target = Slice.none
    /// The target's path as received, not decoded; in absolute-form what follows the authority.
    package internal(set) var rawPath = Slice.none
    /// What follows the "?", without it.
    package internal(set) var query = Slice.none
    package internal(set) var hasQuery = false
    /// HTTP/1.x.
    package internal(set) var minorVersion: UInt8 = 1
    package internal(set) var fields: [Field] = []
    /// The host the request is for, without the port, as sent; empty in HTTP/1.0 without Host.
    package internal(set) var host = Slice.none
    /// The host with its port, as sent.
    package internal(set) var authority = Slice.none
    /// The path decoded once, without dot segments and empty segments; begins with "/".
    package internal(set) var path: [UInt8] = []
    /// Nil: no Content-Length.
    package internal(set) var contentLength: Int64?
    package internal(set) var isChunked = false
    package internal(set) var expectsContinue = false
    /// Whether the client wants the connection kept (RFC 9112 §9.3).
    package internal(set) var keepsAlive = true

    package init() {
        bytes.reserveCapacity(2048)
        fields.reserveCapacity(32)
        path.reserveCapacity(256)
    }

    /// Forgets a request that could not be parsed: it is answered as a GET, and nothing follows it.
    package func refuse() {
        clear()
        method = .get
        methodName = .none
        target = .none
        rawPath = .none
        minorVersion = 1
        keepsAlive = false
    }

    /// This request is the last one of its connection.
    package func refuseKeepAlive() { keepsAlive = false }

    /// Forgets the last request; keeps the memory.
    func clear() {
        if !bytes.isEmpty { bytes.removeAll(keepingCapacity: true) }
        if !fields.isEmpty { fields.removeAll(keepingCapacity: true) }
        if !path.isEmpty { path.removeAll(keepingCapacity: true) }
        query = .none
        hasQuery = false
        host = .none
        authority = .none
        contentLength = nil
        isChunked = false
        expectsContinue = false
    }

    /// Adds those bytes of the head to a buffer.
    package func append(_ slice: Slice, to buffer: inout [UInt8]) {
        guard !slice.isEmpty else { return }
        bytes.withUnsafeBufferPointer {
            buffer.append(contentsOf: UnsafeBufferPointer(rebasing: $0[slice.range]))
        }
    }

    /// Method and path, for messages.
    package var line: String { "\(text(methodName)) \(text(rawPath))" }

    package func text(_ slice: Slice) -> String {
        String(decoding: bytes[slice.range], as: UTF8.self)
    }

    /// "*" as the target of OPTIONS (RFC 9112 §3.2.4).
    package var isForServer: Bool { path.count == 1 && path[0] == UInt8(ascii: "*") }

    package var hasBody: Bool { isChunked || (contentLength ?? 0) > 0 }

    /// The value of the first field of that name (any case); nil when absent.
    package func value(of name: StaticString) -> Slice? {
        let length = UInt32(name.utf8CodeUnitCount)
        return bytes.withUnsafeBufferPointer { bytes in
            fields.withUnsafeBufferPointer { fields in
                for field in fields
                where field.name.count == length && isSame(bytes, field.name, name) {
                    return field.value
                }
                return nil
            }
        }
    }

    /// Whether the slice is that text, upper and lower case alike (ASCII).
    package func matches(_ slice: Slice, _ text: StaticString) -> Bool {
        guard Int(slice.count) == text.utf8CodeUnitCount else { return false }
        return bytes.withUnsafeBufferPointer { isSame($0, slice, text) }
    }

    private func isSame(
        _ bytes: UnsafeBufferPointer<UInt8>, _ slice: Slice, _ text: StaticString
    ) -> Bool {
        let start = Int(slice.start)
        return text.withUTF8Buffer { expected in
            for index in 0..<expected.count
            where lowercased(bytes[start + index]) != lowercased(expected[index]) { return false }
            return true
        }
    }
}

/// ASCII lower case; other bytes are left alone.
@inline(__always)
package func lowercased(_ byte: UInt8) -> UInt8 {
    byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte
}
