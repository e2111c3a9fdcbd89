// The fields that decide over framing, routing and the connection.
// SPDX-License-Identifier: Apache-2.0

/// Which of the fields that may come once have come.
struct FieldsSeen {
    var host = false
    var contentLength = false
    var transferEncoding = false
    var contentType = false
    var close = false
    var keepAlive = false
}

extension RequestParser {
    /// Reads a field with a meaning for the server itself.
    func interpret(
        _ name: Range<Int>, _ value: Range<Int>, _ head: Span<UInt8>, _ request: Request,
        _ seen: inout FieldsSeen
    ) throws(RequestError) {
        func named(_ text: StaticString) -> Bool { equalsIgnoringCase(head, name.lowerBound, text) }
        switch name.count {
        case 4 where named("host"):
            guard !seen.host else { throw .bad("two Host fields") }
            seen.host = true
            // The authority of an absolute-form target wins (RFC 9112 §3.2.2); a bad Host is bad anyway.
            try fillAuthority(request, head, value, overriding: request.authority.isEmpty)
        case 6 where named("expect"):
            guard request.minorVersion == 1 else { return }
            guard equalsIgnoringCase(head, value, "100-continue") else {
                throw RequestError(417, "an expectation other than 100-continue")
            }
            request.expectsContinue = true
        case 10 where named("connection"):
            readConnection(head, value, &seen)
        case 12 where named("content-type"):
            guard !seen.contentType else { throw .bad("two Content-Type fields") }
            seen.contentType = true
        case 14 where named("content-length"):
            guard !seen.contentLength else { throw .bad("two Content-Length fields") }
            seen.contentLength = true
            guard let length = decimal(head, value) else { throw .bad("an invalid Content-Length") }
            request.contentLength = length
        case 17 where named("transfer-encoding"):
            guard !seen.transferEncoding else { throw .bad("two Transfer-Encoding fields") }
            seen.transferEncoding = true
            try readTransferEncoding(head, value)
            request.isChunked = true
        default:
            break
        }
    }

    func finish(
        _ request: Request, _ head: Span<UInt8>, _ seen: FieldsSeen
    ) throws(RequestError) {
        if request.minorVersion == 1 && !seen.host { throw .bad("no Host field") }
        if seen.transferEncoding && seen.contentLength {
            throw .bad("both Content-Length and Transfer-Encoding")
        }
        if seen.transferEncoding && request.minorVersion == 0 {
            throw .bad("Transfer-Encoding in HTTP/1.0")
        }
        if seen.close {
            request.keepsAlive = false
        } else if request.minorVersion == 0 {
            request.keepsAlive = seen.keepAlive
        }
    }

    /// Checks a Host value or a URL's authority (RFC 9110 §4.2, §7.2): a name or an address, and a port.
    func fillAuthority(
        _ request: Request, _ head: Span<UInt8>, _ range: Range<Int>, overriding: Bool = true
    ) throws(RequestError) {
        var cursor = range.lowerBound
        let end = range.upperBound
        if cursor < end && head[cursor] == UInt8(ascii: "[") {
            cursor += 1
            while cursor < end && (isHexDigit(head[cursor]) || isOne(head[cursor], of: ":.")) {
                cursor += 1
            }
            guard cursor < end, head[cursor] == UInt8(ascii: "]"), cursor > range.lowerBound + 2
            else {
                throw .bad("an invalid address in brackets as the host")
            }
            cursor += 1
        } else {
            while cursor < end && (isAlphanumeric(head[cursor]) || isOne(head[cursor], of: "-._")) {
                cursor += 1
            }
        }
        let host = range.lowerBound..<cursor
        guard !host.isEmpty else {
            throw .bad("the host is empty or has a byte that is not allowed")
        }
        if cursor < end {
            guard head[cursor] == UInt8(ascii: ":") else {
                throw .bad("the host has a byte that is not allowed")
            }
            var port = 0
            for index in cursor + 1..<end {
                guard isDigit(head[index]), end - cursor <= 6 else { throw .bad("an invalid port") }
                port = port * 10 + Int(head[index] - UInt8(ascii: "0"))
            }
            guard port <= 65535 else { throw .bad("an invalid port") }
        }
        guard overriding else { return }
        request.host = .init(start: host.lowerBound, count: host.count)
        request.authority = .init(start: range.lowerBound, count: range.count)
    }

    private func readConnection(
        _ head: Span<UInt8>, _ value: Range<Int>, _ seen: inout FieldsSeen
    ) {
        var start = value.lowerBound
        while start < value.upperBound {
            var end = start
            while end < value.upperBound && head[end] != UInt8(ascii: ",") { end += 1 }
            var first = start
            var last = end
            while first < last && isBlank(head[first]) { first += 1 }
            while first < last && isBlank(head[last - 1]) { last -= 1 }
            if equalsIgnoringCase(head, first..<last, "close") { seen.close = true }
            if equalsIgnoringCase(head, first..<last, "keep-alive") { seen.keepAlive = true }
            start = end + 1
        }
    }

    /// "chunked" and nothing else (RFC 9112 §6.1, §7). One other coding is 501, everything else 400.
    private func readTransferEncoding(
        _ head: Span<UInt8>, _ value: Range<Int>
    ) throws(RequestError) {
        if equalsIgnoringCase(head, value, "chunked") { return }
        for index in value where !isToken(head[index]) {
            throw .bad("an ambiguous Transfer-Encoding")
        }
        if value.isEmpty { throw .bad("an empty Transfer-Encoding") }
        throw RequestError(501, "a transfer coding other than chunked")
    }

    /// Digits alone, without a leading zero, below 2^63.
    private func decimal(_ head: Span<UInt8>, _ value: Range<Int>) -> Int64? {
        guard !value.isEmpty, value.count <= 19 else { return nil }
        if value.count > 1 && head[value.lowerBound] == UInt8(ascii: "0") { return nil }
        var number: Int64 = 0
        for index in value {
            guard isDigit(head[index]) else { return nil }
            let (tenfold, overflow) = number.multipliedReportingOverflow(by: 10)
            let (sum, carry) = tenfold.addingReportingOverflow(
                Int64(head[index] - UInt8(ascii: "0")))
            if overflow || carry { return nil }
            number = sum
        }
        return number
    }

    func method(_ name: Span<UInt8>) -> Request.Method {
        func equals(_ text: StaticString) -> Bool {
            name.count == text.utf8CodeUnitCount && Exchange.equals(name, 0, text)
        }
        switch name.count {
        case 3: return equals("GET") ? .get : equals("PUT") ? .put : registered(name)
        case 4: return equals("HEAD") ? .head : equals("POST") ? .post : registered(name)
        case 5: return equals("PATCH") ? .patch : equals("TRACE") ? .trace : registered(name)
        case 6: return equals("DELETE") ? .delete : registered(name)
        case 7:
            return equals("OPTIONS") ? .options : equals("CONNECT") ? .connect : registered(name)
        default: return registered(name)
        }
    }

    /// Methods of the IANA registry that programs behind a server implement, WebDAV's first of all.
    private func registered(_ name: Span<UInt8>) -> Request.Method {
        func equals(_ text: StaticString) -> Bool {
            name.count == text.utf8CodeUnitCount && Exchange.equals(name, 0, text)
        }
        for known in Self.registeredMethods where equals(known) { return .registered }
        return .unknown
    }

    private static let registeredMethods: [StaticString] = [
        "PROPFIND", "PROPPATCH", "MKCOL", "COPY", "MOVE", "LOCK", "UNLOCK", "REPORT", "SEARCH",
        "QUERY", "MKCALENDAR", "ACL", "BIND", "UNBIND", "REBIND", "CHECKIN", "CHECKOUT", "LABEL",
        "LINK", "UNLINK", "MERGE", "MKACTIVITY", "MKWORKSPACE", "ORDERPATCH", "UNCHECKOUT",
        "UPDATE",
        "VERSION-CONTROL", "BASELINE-CONTROL",
    ]
}
