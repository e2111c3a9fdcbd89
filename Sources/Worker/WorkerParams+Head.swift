// The client's request, as it came or rebuilt from CGI variables.
// SPDX-License-Identifier: Apache-2.0

import Exchange

extension WorkerParams {
    var isFromMortise: Bool { known.head != nil }

    /// Appends a request head to be parsed: the client's own when the host sent it, else one that says
    /// what the variables of RFC 3875 §4.1 say.
    func appendHead(to head: inout [UInt8]) {
        if append("MORTISE_HEAD", to: &head) { return }
        if !append("REQUEST_METHOD", to: &head) { head.append("GET") }
        head.append(" ")
        appendTarget(to: &head)
        let isOld =
            value("SERVER_PROTOCOL").map { bytes[$0].elementsEqual("HTTP/1.0".utf8) } ?? false
        head.append(isOld ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n")
        if value("HTTP_HOST").map(\.isEmpty) ?? true {
            appendField("Host", "SERVER_NAME", to: &head)
        }
        appendField("Content-Type", "CONTENT_TYPE", to: &head)
        appendField("Content-Length", "CONTENT_LENGTH", to: &head)
        for pair in pairs { appendHeaderField(pair, to: &head) }
        head.append("\r\n")
    }

    /// CONTENT_LENGTH, 0 when it is empty or absent, -1 when a body of unknown length follows; nil when it is
    /// no number. Digits alone (RFC 3875 §4.1.2).
    var bodyLength: Int64? {
        guard let value = known.contentLength, !value.isEmpty else {
            // A Mortise host sends a body's length whenever there is a body.
            let coding = isFromMortise ? nil : self.value("HTTP_TRANSFER_ENCODING")
            return coding.map(\.isEmpty) ?? true ? 0 : -1
        }
        guard value.count <= 18 else { return nil }
        return bytes.withUnsafeBufferPointer { bytes in
            var length: Int64 = 0
            for byte in bytes[value] {
                guard isDigit(byte) else { return nil }
                length = length * 10 + Int64(byte - UInt8(ascii: "0"))
            }
            return length
        }
    }

    private func appendTarget(to head: inout [UInt8]) {
        if let uri = value("REQUEST_URI"), !uri.isEmpty {
            head.append(contentsOf: bytes[uri])
            return
        }
        let start = head.count
        appendEscaped("SCRIPT_NAME", to: &head)
        appendEscaped("PATH_INFO", to: &head)
        if head.count == start { head.append("/") }
        guard let query = value("QUERY_STRING"), !query.isEmpty else { return }
        head.append("?")
        head.append(contentsOf: bytes[query])
    }

    /// SCRIPT_NAME and PATH_INFO are decoded; in a target some of their bytes have to be escaped.
    private func appendEscaped(_ name: StaticString, to head: inout [UInt8]) {
        guard let value = value(name) else { return }
        for byte in bytes[value] {
            if isAlphanumeric(byte) || isOne(byte, of: "/-._~!$&'()*+,;=:@") {
                head.append(byte)
            } else {
                head.append("%")
                for digit in [byte >> 4, byte & 15] {
                    head.append(digit + (digit < 10 ? 0x30 : 0x37))
                }
            }
        }
    }

    private func appendField(_ field: StaticString, _ name: StaticString, to head: inout [UInt8]) {
        guard let value = value(name), !value.isEmpty else { return }
        head.append(field)
        head.append(": ")
        head.append(contentsOf: bytes[value])
        head.append("\r\n")
    }

    /// HTTP_ACCEPT_ENCODING becomes Accept-Encoding. What is about the front server's own connection, or
    /// has been said above, is left out.
    private func appendHeaderField(
        _ pair: (name: Range<Int>, value: Range<Int>), to head: inout [UInt8]
    ) {
        let name = bytes.span.extracting(pair.name)
        guard name.count > 5, equals(name, 0, "HTTP_"), !pair.value.isEmpty else { return }
        let rest = name.extracting(5..<name.count)
        for left: StaticString in [
            "PROXY", "TRANSFER_ENCODING", "CONTENT_LENGTH", "CONTENT_TYPE", "EXPECT",
        ] where rest.matches(left) { return }
        var isFirst = true
        for index in rest.indices {
            let byte = rest[index]
            head.append(
                byte == UInt8(ascii: "_") ? UInt8(ascii: "-") : isFirst ? byte : lowercased(byte))
            isFirst = byte == UInt8(ascii: "_")
        }
        head.append(": ")
        head.append(contentsOf: bytes[pair.value])
        head.append("\r\n")
    }
}
