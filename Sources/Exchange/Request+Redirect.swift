// A request that goes on as another one inside the server.
// SPDX-License-Identifier: Apache-2.0

extension Request {
    /// Becomes a GET of `target` with the same fields and without a body (RFC 3875 §6.2.2).
    ///
    /// False, and nothing changed, when the target is not a valid path.
    package func redirect(to target: [UInt8]) -> Bool {
        guard target.first == UInt8(ascii: "/"), target.allSatisfy(isTargetByte) else {
            return false
        }
        let head = head(for: target)
        // The head this one comes from kept the configured bounds; only a valid one may replace it.
        let limits = RequestLimits(requestLine: .max / 2, head: .max / 2, fields: .max / 2)
        var parser = RequestParser(limits: limits)
        guard (try? parser.parse(head.span, into: Request())) == head.count else { return false }
        let kept = keepsAlive
        _ = try? parser.parse(head.span, into: self)
        keepsAlive = kept
        return true
    }

    private func head(for target: [UInt8]) -> [UInt8] {
        var head: [UInt8] = Array("GET ".utf8)
        head.append(contentsOf: target)
        head.append(contentsOf: " HTTP/1.\(minorVersion)\r\n".utf8)
        for field in fields where !describesBody(field.name) && !matches(field.name, "host") {
            head.append(contentsOf: bytes[field.name.range])
            head.append(contentsOf: ": ".utf8)
            head.append(contentsOf: bytes[field.value.range])
            head.append(contentsOf: "\r\n".utf8)
        }
        // The authority of an absolute-form target is no longer in the target (RFC 9112 §3.2.2).
        if !authority.isEmpty {
            head.append(contentsOf: "Host: ".utf8)
            head.append(contentsOf: bytes[authority.range])
            head.append(contentsOf: "\r\n".utf8)
        }
        head.append(contentsOf: "\r\n".utf8)
        return head
    }

    private func describesBody(_ name: Slice) -> Bool {
        let words: [StaticString] = [
            "content-length", "content-type", "transfer-encoding", "expect", "content-encoding",
        ]
        return words.contains { matches(name, $0) }
    }
}
