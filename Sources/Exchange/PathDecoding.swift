// A path decoded exactly once, into the one form that rules are applied to and files are opened by.
// SPDX-License-Identifier: Apache-2.0

package enum PathDecoding {
    /// Decodes percent escapes and removes empty and dot segments (RFC 3986 §2.1, §5.2.4).
    ///
    /// An escaped slash, a backslash or a control byte would mean different things to different readers,
    /// so they are errors, as is a ".." above the root. `path` begins with "/"; nil = decoded.
    package static func decode(_ raw: Span<UInt8>, into path: inout [UInt8]) -> StaticString? {
        if !path.isEmpty { path.removeAll(keepingCapacity: true) }
        if isPlain(raw) {
            path.append(raw)
            return nil
        }
        path.append(UInt8(ascii: "/"))
        var cursor = 0
        while cursor < raw.count {
            var byte = raw[unchecked: cursor]
            cursor += 1
            if byte == UInt8(ascii: "/") {
                if let error = endSegment(&path, isLast: false) { return error }
                continue
            }
            if byte == UInt8(ascii: "%") {
                guard cursor + 1 < raw.count, let high = hexValue(raw[cursor]),
                    let low = hexValue(raw[cursor + 1])
                else { return "an incomplete percent escape in the path" }
                byte = high << 4 | low
                cursor += 2
                if byte == UInt8(ascii: "/") { return "an escaped slash in the path" }
            }
            if byte < 0x20 || byte == 0x7f { return "a control byte in the path" }
            if byte == UInt8(ascii: "\\") { return "a backslash in the path" }
            path.append(byte)
        }
        return endSegment(&path, isLast: true)
    }

    /// Whether the path has nothing to decode, to remove or to refuse, as nearly all have: a slash, and no
    /// escape, no byte that is refused, no segment that is empty or begins with a dot.
    private static func isPlain(_ raw: Span<UInt8>) -> Bool {
        guard raw.count > 0, raw[0] == UInt8(ascii: "/") else { return false }
        var last = UInt8(ascii: "/")
        for index in 1..<raw.count {
            let byte = raw[unchecked: index]
            if byte < 0x20 || byte >= 0x7f { return false }
            if byte == UInt8(ascii: "%") || byte == UInt8(ascii: "\\") { return false }
            if last == UInt8(ascii: "/"), byte == UInt8(ascii: "/") || byte == UInt8(ascii: ".") {
                return false
            }
            last = byte
        }
        return true
    }

    /// Settles the segment after the last slash of `path`; adds the slash that ends it.
    private static func endSegment(_ path: inout [UInt8], isLast: Bool) -> StaticString? {
        var start = path.count
        while path[start - 1] != UInt8(ascii: "/") { start -= 1 }
        let length = path.count - start
        if length == 0 { return nil }
        if length == 1 && path[start] == UInt8(ascii: ".") {
            path.removeLast(1)
            return nil
        }
        if length == 2 && path[start] == UInt8(ascii: ".") && path[start + 1] == UInt8(ascii: ".") {
            if start == 1 { return "a path above the root" }
            path.removeLast(3)
            while path[path.count - 1] != UInt8(ascii: "/") { path.removeLast() }
            return nil
        }
        if !isLast { path.append(UInt8(ascii: "/")) }
        return nil
    }
}
