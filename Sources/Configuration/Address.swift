// Addresses to listen on, as people write them.
// SPDX-License-Identifier: Apache-2.0

package enum Address {
    package static let expected =
        "an address such as \"127.0.0.1:8080\", \"[::1]:8080\", \"8080\" or \"unix:/run/x.sock\""

    /// Whether `mortise` can listen there, as far as the text tells.
    package static func isValid(_ text: String) -> Bool { listener(text, folder: "/") != nil }

    /// The listener a text names; nil when it names none.
    static func listener(_ text: String, folder: String) -> Settings.Listener? {
        if text.hasPrefix("unix:") {
            let path = Path.absolute(String(text.dropFirst(5)), in: folder)
            // man 7 unix: sun_path holds 108 bytes with the final zero.
            return text.utf8.count > 5 && path.utf8.count <= 107 ? .unix(path: path) : nil
        }
        guard let colon = text.lastIndex(of: ":") else {
            return port(text).map { .tcp(host: "0.0.0.0", port: $0) }
        }
        guard let port = port(text[text.index(after: colon)...]) else { return nil }
        let host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]"), isIPv6(host.dropFirst().dropLast()) {
            return .tcp(host: String(host.dropFirst().dropLast()), port: port)
        }
        return isIPv4(host) ? .tcp(host: String(host), port: port) : nil
    }

    static func port(_ text: some StringProtocol) -> UInt16? {
        isDigits(text) ? UInt16(text) : nil
    }

    /// Four decimal numbers (man 3 inet_pton).
    static func isIPv4(_ text: some StringProtocol) -> Bool {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4
            && parts.allSatisfy { part in
                isDigits(part) && UInt8(part) != nil && (part.count == 1 || part.first != "0")
            }
    }

    /// Eight groups, or fewer with one "::" (RFC 4291 §2.2); no zone.
    static func isIPv6(_ text: some StringProtocol) -> Bool {
        var groups = text.split(separator: ":", omittingEmptySubsequences: false)[...]
        guard groups.count >= 3 else { return false }
        if text.hasPrefix("::") {
            groups.removeFirst()
        } else if groups.first?.isEmpty == true {
            return false
        }
        if text.hasSuffix("::") {
            groups.removeLast()
        } else if groups.last?.isEmpty == true {
            return false
        }
        var count = 0
        for (index, group) in groups.enumerated() where !group.isEmpty {
            if index == groups.count - 1, isIPv4(group) {
                count += 2
            } else if group.utf8.count <= 4, group.utf8.allSatisfy({ isHex($0) }) {
                count += 1
            } else {
                return false
            }
        }
        let gaps = groups.count { $0.isEmpty }
        return gaps == 0 ? count == 8 : gaps == 1 && count <= 7
    }

    private static func isDigits(_ text: some StringProtocol) -> Bool {
        (1...5).contains(text.utf8.count)
            && text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    }

    private static func isHex(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"),
            UInt8(ascii: "A")...UInt8(ascii: "F"):
            true
        default: false
        }
    }
}

extension Settings.Listener {
    /// Whether nobody can listen on both at the same time: they are the same, or one is all addresses of
    /// its version of IP (IPv6 does not take IPv4's). Port 0 is a new port each time.
    func excludes(_ other: Settings.Listener) -> Bool {
        guard case .tcp(let host, let port) = self, case .tcp(let otherHost, let otherPort) = other
        else { return self == other }
        let isSameVersion = host.contains(":") == otherHost.contains(":")
        guard port == otherPort, port != 0, isSameVersion else { return false }
        return host == otherHost || [host, otherHost].contains { $0 == "0.0.0.0" || $0 == "::" }
    }
}
