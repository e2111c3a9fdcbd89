// Request fields as variables: which may become one, and how several become one.
// SPDX-License-Identifier: Apache-2.0

extension Variables {
    enum Spelling { case underscored, asSpelt }

    /// Appends the values of the field with that name, joined; false when there is none that may be seen.
    ///
    /// `Proxy` never is: HTTP_PROXY configures the HTTP clients of many programs (CVE-2016-5385).
    static func appendField(
        _ name: Span<UInt8>, _ spelling: Spelling, _ request: Request, to bytes: inout [UInt8]
    ) -> Bool {
        if name.matches("Proxy") { return false }
        if name.matches("Host"), !request.authority.isEmpty {
            request.append(request.authority, to: &bytes)
            return true
        }
        var found = false
        let headBytes = request.bytes
        let head = headBytes.span
        for field in request.fields {
            let candidate = head.extracting(field.name.range)
            switch spelling {
            case .underscored: if !isVariable(candidate, named: name) { continue }
            case .asSpelt: if !isSame(candidate, name) { continue }
            }
            if found { appendSeparator(of: candidate, to: &bytes) }
            request.append(field.value, to: &bytes)
            found = true
        }
        return found
    }

    /// "HTTP_ACCEPT_ENCODING:gzip\n" for each field.
    static func appendAllFields(_ request: Request, to bytes: inout [UInt8]) {
        let headBytes = request.bytes
        let head = headBytes.span
        if request.value(of: "Host") == nil, !request.authority.isEmpty {
            bytes.append("HTTP_HOST:")
            request.append(request.authority, to: &bytes)
            bytes.append("\n")
        }
        for index in request.fields.indices where isFirstVariable(index, request) {
            let name = head.extracting(request.fields[index].name.range)
            appendVariableName(name, to: &bytes)
            bytes.append(":")
            appendJoined(index, request, to: &bytes)
            bytes.append("\n")
        }
    }

    /// "Accept-Encoding: gzip\r\n" for each field, in the order they came.
    static func appendAllRaw(_ request: Request, to bytes: inout [UInt8]) {
        for field in request.fields where !request.matches(field.name, "Proxy") {
            request.append(field.name, to: &bytes)
            bytes.append(": ")
            request.append(field.value, to: &bytes)
            bytes.append("\r\n")
        }
    }

    /// Whether the field becomes a variable, and is the first of its name.
    static func isFirstVariable(_ index: Int, _ request: Request) -> Bool {
        let headBytes = request.bytes
        let head = headBytes.span
        let name = head.extracting(request.fields[index].name.range)
        if !isUnambiguous(name) || name.matches("Proxy") { return false }
        for earlier in 0..<index
        where isSame(head.extracting(request.fields[earlier].name.range), name) { return false }
        return true
    }

    /// Appends the value of the field at `first` and of all later ones of its name.
    static func appendJoined(_ first: Int, _ request: Request, to bytes: inout [UInt8]) {
        let headBytes = request.bytes
        let head = headBytes.span
        let name = head.extracting(request.fields[first].name.range)
        // The authority of an absolute target overrides Host (RFC 9112 §3.2.2).
        if name.matches("Host"), !request.authority.isEmpty {
            return request.append(request.authority, to: &bytes)
        }
        request.append(request.fields[first].value, to: &bytes)
        for later in request.fields[(first + 1)...]
        where isSame(head.extracting(later.name.range), name) {
            appendSeparator(of: name, to: &bytes)
            request.append(later.value, to: &bytes)
        }
    }

    /// "Accept-Encoding" as "HTTP_ACCEPT_ENCODING".
    static func appendVariableName(_ name: Span<UInt8>, to bytes: inout [UInt8]) {
        bytes.append("HTTP_")
        for index in name.indices { bytes.append(variableByte(name[index])) }
    }

    private static func appendSeparator(of name: Span<UInt8>, to bytes: inout [UInt8]) {
        // RFC 9110 §5.3; RFC 6265 §5.4.
        bytes.append(name.matches("Cookie") ? "; " : ", ")
    }

    /// Letters, digits and "-" alone: two such names never become the same variable.
    private static func isUnambiguous(_ name: Span<UInt8>) -> Bool {
        for index in name.indices
        where !isAlphanumeric(name[index]) && name[index] != UInt8(ascii: "-") { return false }
        return true
    }

    private static func isVariable(_ field: Span<UInt8>, named variable: Span<UInt8>) -> Bool {
        guard field.count == variable.count, isUnambiguous(field) else { return false }
        for index in field.indices
        where variableByte(field[index]) != variableByte(variable[index]) { return false }
        return true
    }

    private static func isSame(_ left: Span<UInt8>, _ right: Span<UInt8>) -> Bool {
        guard left.count == right.count else { return false }
        for index in left.indices where lowercased(left[index]) != lowercased(right[index]) {
            return false
        }
        return true
    }

    @inline(__always)
    private static func variableByte(_ byte: UInt8) -> UInt8 {
        if byte == UInt8(ascii: "-") { return UInt8(ascii: "_") }
        return byte >= 0x61 && byte <= 0x7a ? byte & 0xdf : byte
    }
}
