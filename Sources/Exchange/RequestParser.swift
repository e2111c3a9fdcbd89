// A request head from hostile bytes: strict, and the same answer however the bytes were split.
// SPDX-License-Identifier: Apache-2.0

/// Why a request is refused: the status to answer with, after which the connection closes.
package struct RequestError: Error, Equatable {
    package let status: Int
    /// For the error log.
    package let reason: StaticString

    package static func == (left: RequestError, right: RequestError) -> Bool {
        left.status == right.status && left.reason.description == right.reason.description
    }

    init(_ status: Int, _ reason: StaticString) {
        self.status = status
        self.reason = reason
    }

    static func bad(_ reason: StaticString) -> RequestError { RequestError(400, reason) }
}

/// Bounds of a request head, in bytes and lines.
package struct RequestLimits: Sendable {
    package var requestLine: Int
    package var head: Int
    package var fields: Int

    package init(requestLine: Int = 16 * 1024, head: Int = 64 * 1024, fields: Int = 200) {
        self.requestLine = requestLine
        self.head = head
        self.fields = fields
    }
}

/// Reads HTTP/1.0 and HTTP/1.1 request heads (RFC 9112 §2 to §7).
///
/// Feed it everything received so far; it remembers how far it looked. Whatever is ambiguous is an
/// error: bare LF, white space before a colon, folded lines, two lengths, a length beside chunks.
package struct RequestParser: Sendable {
    private let limits: RequestLimits
    /// Bytes already searched for line ends.
    private var searched = 0
    private var lineStart = 0
    private var lines = 0

    package init(limits: RequestLimits = RequestLimits()) { self.limits = limits }

    /// Makes ready for the next request.
    package mutating func reset() {
        searched = 0
        lineStart = 0
        lines = 0
    }

    /// Parses the head at the start of `bytes`.
    ///
    /// - Returns: its length, blank line included; nil when the blank line has not come yet.
    package mutating func parse(
        _ bytes: Span<UInt8>, into request: Request
    ) throws(RequestError) -> Int? {
        guard let end = try findEnd(bytes) else { return nil }
        // One empty line before the request is ignored (RFC 9112 §2.2).
        let start = equals(bytes, 0, "\r\n") ? 2 : 0
        try fill(request, bytes.extracting(start..<end))
        reset()
        return end
    }

    /// The end of the head, once it is there. Finds what no later byte can mend.
    private mutating func findEnd(_ bytes: Span<UInt8>) throws(RequestError) -> Int? {
        var index = searched
        let count = bytes.count
        while true {
            index = lineFeed(in: bytes, from: index)
            guard index < count else { break }
            // Bounds first, as they are seen first when the bytes come one by one.
            if lines == 0 && index - lineStart > limits.requestLine + 1 {
                throw tooLong(bytes, lineStart..<index)
            }
            if index >= limits.head { throw RequestError(431, "the head is too large") }
            guard index > lineStart, bytes[index - 1] == UInt8(ascii: "\r") else {
                throw .bad("a line ends with LF alone")
            }
            let isEmpty = index - 1 == lineStart
            lineStart = index + 1
            index += 1
            if isEmpty && lines == 0 {
                if index > 2 { throw .bad("empty lines before the request") }
                continue
            }
            lines += 1
            if isEmpty {
                searched = index
                return index
            }
            if lines > limits.fields + 1 { throw RequestError(431, "too many field lines") }
        }
        searched = index
        if lines == 0 && index - lineStart > limits.requestLine + 1 {
            throw tooLong(bytes, lineStart..<index)
        }
        if index > limits.head { throw RequestError(431, "the head is too large") }
        return nil
    }

    private func tooLong(_ bytes: Span<UInt8>, _ line: Range<Int>) -> RequestError {
        for index in line.prefix(limits.requestLine) where bytes[index] == UInt8(ascii: " ") {
            return RequestError(414, "the request line is too long")
        }
        return RequestError(501, "the method is too long")
    }

    // MARK: The complete head

    private func fill(_ request: Request, _ head: Span<UInt8>) throws(RequestError) {
        request.clear()
        var cursor = try fillRequestLine(request, head)
        var seen = FieldsSeen()
        while head[cursor] != UInt8(ascii: "\r") || head[cursor + 1] != UInt8(ascii: "\n") {
            cursor = try fillField(request, head, cursor, &seen)
        }
        guard cursor + 2 == head.count else { throw .bad("a blank line inside the head") }
        head.withUnsafeBufferPointer { request.bytes.append(contentsOf: $0) }
        try finish(request, head, seen)
    }

    private func fillRequestLine(
        _ request: Request, _ head: Span<UInt8>
    ) throws(RequestError) -> Int {
        var cursor = 0
        while isToken(head[unchecked: cursor]) { cursor += 1 }
        guard cursor > 0, head[cursor] == UInt8(ascii: " ") else {
            throw .bad("the request line has no method")
        }
        request.methodName = .init(start: 0, count: cursor)
        request.method = method(head.extracting(0..<cursor))

        let target = cursor + 1
        cursor = target
        while isTargetByte(head[unchecked: cursor]) { cursor += 1 }
        guard cursor > target, head[cursor] == UInt8(ascii: " ") else {
            throw .bad("the request target has a byte that is not allowed")
        }
        request.target = .init(start: target, count: cursor - target)

        let version = cursor + 1
        guard version + 10 <= head.count, equals(head, version, "HTTP/"),
            isDigit(head[version + 5]), head[version + 6] == UInt8(ascii: "."),
            isDigit(head[version + 7]), head[version + 8] == UInt8(ascii: "\r"),
            head[version + 9] == UInt8(ascii: "\n")
        else { throw .bad("the request line does not end with an HTTP version") }
        guard head[version + 5] == UInt8(ascii: "1") else {
            throw RequestError(505, "the HTTP version is not 1.0 or 1.1")
        }
        // A minor version above 1 is read as the highest known (RFC 9110 §2.5).
        request.minorVersion = head[version + 7] == UInt8(ascii: "0") ? 0 : 1
        request.keepsAlive = request.minorVersion == 1
        try fillTarget(request, head)
        return version + 10
    }

    private func fillTarget(_ request: Request, _ head: Span<UInt8>) throws(RequestError) {
        let target = request.target.range
        var start = target.lowerBound
        switch head[start] {
        case UInt8(ascii: "/"):
            break
        case UInt8(ascii: "*") where target.count == 1 && request.method == .options:
            request.rawPath = request.target
            request.path.append(UInt8(ascii: "*"))
            return
        case _ where request.method == .connect:
            try fillAuthority(request, head, target)
            return
        default:
            start = try fillAbsoluteForm(request, head, target)
        }
        var question = start
        while question < target.upperBound && head[question] != UInt8(ascii: "?") { question += 1 }
        request.rawPath = .init(start: start, count: question - start)
        if question < target.upperBound {
            request.hasQuery = true
            request.query = .init(start: question + 1, count: target.upperBound - question - 1)
        }
        if let error = PathDecoding.decode(head.extracting(start..<question), into: &request.path) {
            throw .bad(error)
        }
    }

    /// "http://host/path": gives where the path begins, and takes the authority (RFC 9112 §3.2.2).
    private func fillAbsoluteForm(
        _ request: Request, _ head: Span<UInt8>, _ target: Range<Int>
    ) throws(RequestError) -> Int {
        var start = target.lowerBound
        if equalsIgnoringCase(head, start, "http://") {
            start += 7
        } else if equalsIgnoringCase(head, start, "https://") {
            start += 8
        } else {
            throw .bad("the request target is neither a path nor a URL")
        }
        var end = start
        while end < target.upperBound && head[end] != UInt8(ascii: "/")
            && head[end] != UInt8(ascii: "?")
        { end += 1 }
        try fillAuthority(request, head, start..<end)
        return end
    }

    private func fillField(
        _ request: Request, _ head: Span<UInt8>, _ start: Int, _ seen: inout FieldsSeen
    ) throws(RequestError) -> Int {
        // Each loop ends at the CR before the blank line at the latest, so it needs no bounds.
        var cursor = start
        while isToken(head[unchecked: cursor]) { cursor += 1 }
        guard cursor > start, head[cursor] == UInt8(ascii: ":") else {
            throw .bad("a field line has no name followed by a colon")
        }
        let name = Request.Slice(start: start, count: cursor - start)
        cursor += 1
        while isBlank(head[unchecked: cursor]) { cursor += 1 }
        let valueStart = cursor
        cursor = endOfValue(in: head, from: cursor)
        var valueEnd = cursor
        while valueEnd > valueStart && isBlank(head[unchecked: valueEnd - 1]) { valueEnd -= 1 }
        guard head[cursor] == UInt8(ascii: "\r"), head[cursor + 1] == UInt8(ascii: "\n") else {
            throw .bad("a field value has a control byte")
        }
        let value = Request.Slice(start: valueStart, count: valueEnd - valueStart)
        request.fields.append(.init(name: name, value: value))
        try interpret(name.range, value.range, head, request, &seen)
        return cursor + 2
    }
}
