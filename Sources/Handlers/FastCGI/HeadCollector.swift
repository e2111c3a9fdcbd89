// A response's head that arrives in pieces.
// SPDX-License-Identifier: Apache-2.0

import Exchange

/// Collects bytes until they are a whole head; a head that comes in one piece is never collected.
///
/// A program says the same head again and again: one made of the same text as the last is not read anew.
struct HeadCollector: Sendable {
    /// A longer head is not worth being compared.
    private static let longestRemembered = 1024

    private var bytes: [UInt8] = []
    /// What `head` was read from; empty when it is of no more use.
    private var remembered: [UInt8] = []

    /// Makes ready for the next head, which is to be read into the same `head`.
    mutating func reset(_ head: inout ResponseHead) {
        if !bytes.isEmpty { bytes.removeAll(keepingCapacity: true) }
        if remembered.isEmpty { head.reset() }
    }

    /// Adds the next bytes: how many of them were the head's, nil when the head is not complete.
    mutating func append(
        _ next: Span<UInt8>, _ rules: ResponseHead.Rules, into head: inout ResponseHead
    ) throws(ResponseHeadError) -> Int? {
        if bytes.isEmpty {
            if !remembered.isEmpty {
                if beginsWithLastHead(next) { return remembered.count }
                remembered.removeAll(keepingCapacity: true)
                head.reset()
            }
            if let consumed = try head.parse(next, rules) {
                if consumed <= Self.longestRemembered {
                    remembered.append(next.extracting(first: consumed))
                }
                return consumed
            }
        }
        let collected = bytes.count
        let room = max(0, ResponseHead.largestHead + 1 - collected)
        bytes.append(next.extracting(first: min(next.count, room)))
        // Each byte is searched once: the work stays proportional to the bytes.
        let length = ResponseHead.length(in: bytes.span, from: collected)
        if length == nil, bytes.count <= ResponseHead.largestHead { return nil }
        guard let consumed = try head.parse(bytes.span, rules) else { return nil }
        return consumed - collected
    }

    /// A head ends at its first blank line, so what begins with the last one has the same head.
    private func beginsWithLastHead(_ next: Span<UInt8>) -> Bool {
        guard next.count >= remembered.count else { return false }
        return next.extracting(first: remembered.count).withUnsafeBytes { next in
            remembered.withUnsafeBytes { compare($0, next) }
        }
    }

    private func compare(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Bool {
        var index = 0
        while index + 8 <= left.count {
            let one = left.loadUnaligned(fromByteOffset: index, as: UInt64.self)
            if one != right.loadUnaligned(fromByteOffset: index, as: UInt64.self) { return false }
            index += 8
        }
        while index < left.count {
            if left[index] != right[index] { return false }
            index += 1
        }
        return true
    }
}
