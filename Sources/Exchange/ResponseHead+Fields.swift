// What each field of a response's head means for its framing.
// SPDX-License-Identifier: Apache-2.0

extension ResponseHead {
    /// What one head has had so far.
    struct Seen {
        var status = false
        var fields = 0
    }

    /// Sets status and reason from "200 OK", "200OK", " 201 Created\r" or "200".
    ///
    /// False, and nothing is changed, when there is no final status (200 to 599) or the reason contains
    /// a control character.
    package mutating func setStatus(_ line: Span<UInt8>) -> Bool {
        var end = line.count
        while end > 0, line[end - 1] == 0 || line[end - 1] == 0x0a || line[end - 1] == 0x0d {
            end -= 1
        }
        let text = line.extracting(line.trimmed(0..<end))
        guard text.count >= 3, let number = text.extracting(first: 3).decimal() else {
            return false
        }
        guard (200...599).contains(number) else { return false }
        guard text.count == 3 || digitValue(text[3]) == nil else { return false }
        let phrase = text.extracting(text.trimmed(3..<text.count))
        for index in phrase.indices where !isValueByte(phrase[index]) { return false }
        status = Int(number)
        reason.removeAll(keepingCapacity: true)
        reason.append(phrase)
        hasStatus = true
        return true
    }

    /// Adds a field of the server's own. False, and nothing is added, when the value may not be sent.
    @discardableResult
    package mutating func addField(_ name: StaticString, _ value: Span<UInt8>) -> Bool {
        let text = UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)
        var seen = Seen()
        do throws(ResponseHeadError) {
            try take(
                text.span, value.extracting(value.trimmed(0..<value.count)), .fromExtension, &seen)
            return true
        } catch {
            return false
        }
    }

    @discardableResult
    package mutating func addField(_ name: StaticString, _ value: StaticString) -> Bool {
        let text = UnsafeBufferPointer(start: value.utf8Start, count: value.utf8CodeUnitCount)
        return addField(name, text.span)
    }

    /// Adds a field that this server makes itself: its value needs no check, and it says nothing about the
    /// framing or the connection.
    package mutating func addOwnField(_ name: StaticString, _ append: (inout [UInt8]) -> Void) {
        block.append(name)
        block.append(": ")
        append(&block)
        block.append("\r\n")
    }

    /// Whether a gateway asks for another path of this server instead of an answer (RFC 3875 §6.2.2).
    package var isLocalRedirect: Bool {
        !hasStatus && location.first == UInt8(ascii: "/")
            && !(location.count > 1 && location[1] == UInt8(ascii: "/"))
    }

    /// Appends the head as a worker sends it: `Status`, the fields, `Content-Length` and
    /// `Connection: close` where they are set, and the blank line.
    ///
    /// Never `Transfer-Encoding`: a body travels decoded, in records.
    package func appendGatewayHead(to bytes: inout [UInt8]) {
        bytes.append("Status: ")
        bytes.append(decimal: UInt64(clamping: status))
        bytes.append(0x20)
        if reason.isEmpty {
            bytes.append(reasonPhrase(status))
        } else {
            reason.withUnsafeBufferPointer { bytes.append(contentsOf: $0) }
        }
        bytes.append("\r\n")
        block.withUnsafeBufferPointer { bytes.append(contentsOf: $0) }
        if let contentLength {
            bytes.append("Content-Length: ")
            bytes.append(decimal: UInt64(clamping: contentLength))
            bytes.append("\r\n")
        }
        if closesConnection { bytes.append("Connection: close\r\n") }
        bytes.append("\r\n")
    }

    /// Checks one field, then acts on it or keeps it in `block`.
    mutating func take(
        _ name: Span<UInt8>, _ value: Span<UInt8>, _ rules: Rules, _ seen: inout Seen
    ) throws(ResponseHeadError) {
        guard name.count > 0 else { throw .malformedName }
        for index in name.indices where !isToken(name[index]) { throw .malformedName }
        for index in value.indices where !isValueByte(value[index]) { throw .malformedValue }
        switch name.count {
        case 2 where name.matches("TE"), 7 where name.matches("Trailer") || name.matches("Upgrade"),
            10 where name.matches("Keep-Alive"), 16 where name.matches("Proxy-Connection"):
            // Hop-by-hop: between this server and its client alone (RFC 9110 §7.6.1).
            return
        case 6 where name.matches("Status"):
            if seen.status { throw .duplicateStatus }
            guard setStatus(value) else { throw .invalidStatus }
            seen.status = true
            return
        case 10 where name.matches("Connection"):
            if rules != .fromGateway, Self.hasToken("close", in: value) { closesConnection = true }
            return
        case 14 where name.matches("Content-Length"):
            return try takeContentLength(value)
        case 17 where name.matches("Transfer-Encoding"):
            return try takeTransferEncoding(value, rules)
        case 8 where name.matches("Location"):
            if value.count == 0 { return }
            if !location.isEmpty { throw .duplicateLocation }
            location.append(value)
        case 4 where name.matches("Date"): hasDate = true
        case 6 where name.matches("Server"): hasServer = true
        case 12 where name.matches("Content-Type"): hasContentType = true
        default: break
        }
        block.append(name)
        block.append(": ")
        block.append(value)
        block.append("\r\n")
    }

    private mutating func takeContentLength(_ value: Span<UInt8>) throws(ResponseHeadError) {
        guard let length = value.decimal() else { throw .invalidContentLength }
        if let contentLength, contentLength != length { throw .invalidContentLength }
        // Chunks say where a body ends; a length beside them is void (RFC 9112 §6.3).
        if !isChunked { contentLength = length }
    }

    private mutating func takeTransferEncoding(
        _ value: Span<UInt8>, _ rules: Rules
    ) throws(ResponseHeadError) {
        switch rules {
        case .fromGateway: return
        case .fromWorker: throw .invalidTransferEncoding
        case .fromExtension:
            if value.matches("identity") { return }
            guard value.matches("chunked") else { throw .invalidTransferEncoding }
            isChunked = true
            contentLength = nil
        }
    }

    /// Whether a comma-separated list has the token.
    private static func hasToken(_ token: StaticString, in list: Span<UInt8>) -> Bool {
        var start = 0
        while start <= list.count {
            var end = start
            while end < list.count, list[end] != UInt8(ascii: ",") { end += 1 }
            if list.extracting(list.trimmed(start..<end)).matches(token) { return true }
            start = end + 1
        }
        return false
    }
}
