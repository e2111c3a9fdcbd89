// A response's head that arrives in pieces.
// SPDX-License-Identifier: Apache-2.0

import Exchange

/// Collects bytes until they are a whole head; a head that comes in one piece is never copied.
struct HeadCollector: Sendable {
    private var bytes: [UInt8] = []

    mutating func reset() { bytes.removeAll(keepingCapacity: true) }

    /// Takes the next bytes: how many of them were the head's, nil when the head is not complete.
    mutating func take(
        _ next: Span<UInt8>, _ rules: ResponseHead.Rules, into head: inout ResponseHead
    ) throws(ResponseHeadError) -> Int? {
        if bytes.isEmpty, let consumed = try head.parse(next, rules) { return consumed }
        let known = bytes.count
        let room = max(0, ResponseHead.largestHead + 1 - known)
        bytes.append(next.extracting(first: min(next.count, room)))
        let collected = bytes
        // Looks only where nobody has looked: the work stays proportional to the bytes.
        let length = ResponseHead.length(in: collected.span, from: known)
        if length == nil, collected.count <= ResponseHead.largestHead { return nil }
        guard let consumed = try head.parse(collected.span, rules) else { return nil }
        return consumed - known
    }
}
