// A request that goes on as another one inside the server.
// SPDX-License-Identifier: Apache-2.0

extension Request {
    /// Becomes a GET of `target` with the same fields and without a body (RFC 3875 §6.2.2).
    ///
    /// False, and unchanged in nothing that matters any more, when the target is not valid.
    package func redirect(to target: [UInt8]) -> Bool {
        var head: [UInt8] = Array("GET ".utf8)
        head.append(contentsOf: target)
        head.append(contentsOf: " HTTP/1.\(minorVersion)\r\n".utf8)
        for field in fields where !describesBody(field.name) {
            head.append(contentsOf: bytes[field.name.range])
            head.append(contentsOf: ": ".utf8)
            head.append(contentsOf: bytes[field.value.range])
            head.append(contentsOf: "\r\n".utf8)
        }
        head.append(contentsOf: "\r\n".utf8)
        let kept = keepsAlive
        var parser = RequestParser()
        let length = try? parser.parse(head.span, into: self)
        keepsAlive = kept
        return length == head.count && path.first == UInt8(ascii: "/")
    }

    private func describesBody(_ name: Slice) -> Bool {
        let words: [StaticString] = [
            "content-length", "content-type", "transfer-encoding", "expect", "content-encoding",
        ]
        return words.contains { matches(name, $0) }
    }
}
