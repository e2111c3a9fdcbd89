// Names of variables and hosts: which are allowed.
// SPDX-License-Identifier: Apache-2.0

enum Names {
    /// Variables that a request sets (RFC 3875 §4.1, ISAPI); a setting may not pose as one of them.
    static let reserved: Set<String> = [
        "AUTH_TYPE", "AUTH_USER", "AUTH_PASSWORD", "CONTENT_LENGTH", "CONTENT_TYPE",
        "DOCUMENT_ROOT",
        "FCGI_ROLE", "GATEWAY_INTERFACE", "HTTPS", "LOCAL_ADDR", "LOGON_USER", "PATH_INFO",
        "PATH_TRANSLATED", "QUERY_STRING", "REDIRECT_STATUS", "REMOTE_ADDR", "REMOTE_HOST",
        "REMOTE_IDENT", "REMOTE_PORT", "REMOTE_USER", "REQUEST_METHOD", "REQUEST_SCHEME",
        "REQUEST_URI",
        "SCRIPT_FILENAME", "SCRIPT_NAME", "SERVER_ADDR", "SERVER_NAME", "SERVER_PORT",
        "SERVER_PORT_SECURE", "SERVER_PROTOCOL", "SERVER_SOFTWARE", "UNENCODED_URL", "URL",
    ]

    static let reservedPrefixes = ["HTTP_", "HEADER_", "UNICODE_", "ALL_", "CERT_", "MORTISE_"]

    static func isReserved(_ name: String) -> Bool {
        let upper = name.uppercased()
        return reserved.contains(upper) || reservedPrefixes.contains { upper.hasPrefix($0) }
    }

    /// Letters, digits and "_", not beginning with a digit; "-" where `dashes`.
    static func isVariable(_ name: String, dashes: Bool) -> Bool {
        guard let first = name.utf8.first, !isDigit(first), first != UInt8(ascii: "-") else {
            return false
        }
        return name.utf8.count <= 256
            && name.utf8.allSatisfy { isWordByte($0) && (dashes || $0 != UInt8(ascii: "-")) }
    }

    /// A host name in lower case, "*." before it for all below, or an address in its URL form.
    static func host(_ text: String) -> String? {
        let host = text.lowercased()
        if host.hasPrefix("[") {
            return host.hasSuffix("]") && Address.isIPv6(host.dropFirst().dropLast()) ? host : nil
        }
        let name = host.hasPrefix("*.") ? host.dropFirst(2) : host[...]
        let labels = name.split(separator: ".", omittingEmptySubsequences: false)
        // RFC 1035 §2.3.4: 63 bytes of a label, 253 of a name.
        let isName = labels.allSatisfy { label in
            (1...63).contains(label.utf8.count) && label.utf8.allSatisfy { isWordByte($0) }
        }
        return isName && name.utf8.count <= 253 ? host : nil
    }

    static func isWordByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default: isDigit(byte)
        }
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }
}
