// Where a socket is bound or whom it speaks to.
// SPDX-License-Identifier: Apache-2.0

import CPlatform
import Glibc

/// An IPv4, IPv6 or Unix-socket address.
package enum SocketAddress: Hashable, Sendable, CustomStringConvertible {
    /// Four bytes in network order, and the port.
    case ipv4(UInt32, port: UInt16)
    /// Sixteen bytes as two big-endian halves, and the port.
    case ipv6(UInt64, UInt64, port: UInt16)
    /// A path; one that begins with a zero byte is a name of the abstract namespace.
    case unix(String)

    /// Reads a numeric address: "127.0.0.1", "::1"; no names are looked up.
    package init?(numeric host: String, port: UInt16) {
        var four = in_addr()
        var six = in6_addr()
        if inet_pton(AF_INET, host, &four) == 1 {
            self = .ipv4(UInt32(bigEndian: four.s_addr), port: port)
        } else if inet_pton(AF_INET6, host, &six) == 1 {
            self = SocketAddress.ipv6(six, port: port)
        } else {
            return nil
        }
    }

    package var port: UInt16 {
        switch self {
        case .ipv4(_, let port), .ipv6(_, _, let port): port
        case .unix: 0
        }
    }

    package var description: String {
        switch self {
        case .ipv4(_, let port): "\(host):\(port)"
        case .ipv6(_, _, let port): "[\(host)]:\(port)"
        case .unix(let path): path.utf8.first == 0 ? "unix:@\(path.dropFirst())" : "unix:\(path)"
        }
    }

    /// The address without the port, as text; a Unix socket's peer is "unix:".
    package var host: String {
        var bytes: [UInt8] = []
        appendHost(to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The most bytes of a host's text.
    package static let longestHost = Int(INET6_ADDRSTRLEN)

    /// Appends `host`; allocates nothing when the buffer has room.
    package func appendHost(to bytes: inout [UInt8]) {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: Self.longestHost) { room in
            var text = OutputSpan(buffer: room, initializedCount: 0)
            appendHost(to: &text)
            let count = text.finalize(for: room)
            bytes.append(contentsOf: room[..<count])
        }
    }

    /// Appends `host` where there is room for `longestHost` bytes.
    package func appendHost(to text: inout OutputSpan<UInt8>) {
        switch self {
        case .ipv4(let address, _):
            var shift: UInt32 = 32
            while shift > 0 {
                shift -= 8
                Self.appendOctet(UInt8(truncatingIfNeeded: address >> shift), to: &text)
                if shift > 0 { text.append(UInt8(ascii: ".")) }
            }
        case .ipv6(let high, let low, _):
            var six = in6_addr()
            withUnsafeMutableBytes(of: &six) {
                $0.storeBytes(of: high.bigEndian, toByteOffset: 0, as: UInt64.self)
                $0.storeBytes(of: low.bigEndian, toByteOffset: 8, as: UInt64.self)
            }
            withUnsafeTemporaryAllocation(of: CChar.self, capacity: Self.longestHost) { written in
                inet_ntop(AF_INET6, &six, written.baseAddress, socklen_t(Self.longestHost))
                var next = 0
                while written[next] != 0 {
                    text.append(UInt8(bitPattern: written[next]))
                    next += 1
                }
            }
        case .unix:
            for byte in "unix:".utf8 { text.append(byte) }
        }
    }

    private static func appendOctet(_ value: UInt8, to text: inout OutputSpan<UInt8>) {
        if value >= 100 { text.append(UInt8(ascii: "0") + value / 100) }
        if value >= 10 { text.append(UInt8(ascii: "0") + value / 10 % 10) }
        text.append(UInt8(ascii: "0") + value % 10)
    }

    static func ipv6(_ six: in6_addr, port: UInt16) -> SocketAddress {
        withUnsafeBytes(of: six) { bytes in
            let high = UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self))
            let low = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
            // An IPv4 client of a dual-stack socket (RFC 4291 §2.5.5.2).
            if high == 0 && low >> 32 == 0xffff {
                return .ipv4(UInt32(truncatingIfNeeded: low), port: port)
            }
            return .ipv6(high, low, port: port)
        }
    }

    init(_ storage: sockaddr_storage) {
        self = withUnsafeBytes(of: storage) { bytes in
            switch Int32(storage.ss_family) {
            case AF_INET:
                let raw = bytes.loadUnaligned(as: sockaddr_in.self)
                return .ipv4(
                    UInt32(bigEndian: raw.sin_addr.s_addr), port: UInt16(bigEndian: raw.sin_port))
            case AF_INET6:
                let raw = bytes.loadUnaligned(as: sockaddr_in6.self)
                return SocketAddress.ipv6(raw.sin6_addr, port: UInt16(bigEndian: raw.sin6_port))
            default:
                return .unix("")
            }
        }
    }

    /// The address in the kernel's form; nil when a Unix path is longer than 107 bytes.
    func withRaw<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result? {
        var storage = sockaddr_storage()
        var length = socklen_t(0)
        switch self {
        case .ipv4(let address, let port):
            var raw = sockaddr_in()
            raw.sin_family = sa_family_t(AF_INET)
            raw.sin_port = port.bigEndian
            raw.sin_addr.s_addr = address.bigEndian
            length = socklen_t(MemoryLayout<sockaddr_in>.size)
            withUnsafeMutableBytes(of: &storage) { $0.storeBytes(of: raw, as: sockaddr_in.self) }
        case .ipv6(let high, let low, let port):
            var raw = sockaddr_in6()
            raw.sin6_family = sa_family_t(AF_INET6)
            raw.sin6_port = port.bigEndian
            withUnsafeMutableBytes(of: &raw.sin6_addr) {
                $0.storeBytes(of: high.bigEndian, toByteOffset: 0, as: UInt64.self)
                $0.storeBytes(of: low.bigEndian, toByteOffset: 8, as: UInt64.self)
            }
            length = socklen_t(MemoryLayout<sockaddr_in6>.size)
            withUnsafeMutableBytes(of: &storage) { $0.storeBytes(of: raw, as: sockaddr_in6.self) }
        case .unix(let path):
            let bytes = Array(path.utf8)
            guard bytes.count <= 107 else { return nil }
            storage.ss_family = sa_family_t(AF_UNIX)
            let offset = MemoryLayout<sockaddr_un>.offset(of: \.sun_path)!
            withUnsafeMutableBytes(of: &storage) { room in
                for (index, byte) in bytes.enumerated() { room[offset + index] = byte }
            }
            // A path counts with its zero byte, an abstract name without one (man 7 unix).
            length = socklen_t(offset + bytes.count + (bytes.first == 0 ? 0 : 1))
        }
        return withUnsafePointer(to: &storage) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, length) }
        }
    }
}

/// Appends a number in decimal; allocates nothing when the buffer has room.
package func appendDecimal(_ value: UInt64, to bytes: inout [UInt8]) {
    if value < 10 { return bytes.append(UInt8(truncatingIfNeeded: value) + UInt8(ascii: "0")) }
    var digits = InlineArray<20, UInt8>(repeating: 0)
    var rest = value
    var first = 20
    repeat {
        first -= 1
        digits[first] = UInt8(truncatingIfNeeded: rest % 10) + UInt8(ascii: "0")
        rest /= 10
    } while rest > 0
    withUnsafeBytes(of: digits) { bytes.append(contentsOf: $0[first...]) }
}
