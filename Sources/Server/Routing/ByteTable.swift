// A number for each of some texts that are known beforehand, found by the bytes of a request.
// SPDX-License-Identifier: Apache-2.0

import Exchange

/// Texts, each with a number: open addressing over at least twice as many slots as there are texts.
///
/// Who looks for beginnings or endings of a longer text asks once for each of `lengths`. A lookup
/// allocates nothing and counts no references.
///
/// The texts are the configuration's, so a client cannot fill a slot. Its bytes are compared only with
/// texts of the same hash and length: for one length at a time no more than there are texts of it.
struct ByteTable: Sendable {
    private struct Slot {
        var hash: UInt64 = 0
        var start: Int32 = 0
        /// Less than 0: the slot is empty.
        var length: Int32 = -1
        var number: Int32 = 0
    }

    /// The lengths that texts have, each once, the shortest first.
    let lengths: [Int]
    private var slots: [Slot]
    private var texts: [UInt8] = []

    /// A text that stands twice keeps its first number. Texts may be at most 2 GiB together.
    init(_ entries: [(text: [UInt8], number: Int)]) {
        lengths = Set(entries.map(\.text.count)).sorted()
        var size = 2
        while size < entries.count * 2 { size *= 2 }
        slots = Array(repeating: Slot(), count: size)
        for (text, number) in entries { insert(text, number) }
    }

    var isEmpty: Bool { lengths.isEmpty }

    private mutating func insert(_ text: [UInt8], _ number: Int) {
        guard self.number(of: text.span, 0..<text.count) == nil else { return }
        let hash = Self.hash(text.span)
        var index = Int(truncatingIfNeeded: hash) & (slots.count - 1)
        while slots[index].length >= 0 { index = (index + 1) & (slots.count - 1) }
        slots[index] = Slot(
            hash: hash, start: Int32(texts.count), length: Int32(text.count),
            number: Int32(number))
        texts += text
    }

    /// The number of the text that stands in that range; nil when it is none of the texts.
    func number(of bytes: Span<UInt8>, _ range: Range<Int>) -> Int? {
        find(bytes.extracting(range), ignoringCase: false)
    }

    /// The same for lower-case texts, with the letters in any case.
    func numberIgnoringCase(of bytes: Span<UInt8>, _ range: Range<Int>) -> Int? {
        find(bytes.extracting(range), ignoringCase: true)
    }

    @inline(__always)
    private func find(_ text: Span<UInt8>, ignoringCase: Bool) -> Int? {
        let slots = slots.span
        let hash = Self.hash(text)
        var index = Int(truncatingIfNeeded: hash) & (slots.count &- 1)
        // At least half of the slots are empty, so this ends.
        while slots[index].length >= 0 {
            let slot = slots[index]
            if slot.hash == hash, Int(slot.length) == text.count,
                isSame(slot, text, ignoringCase)
            {
                return Int(slot.number)
            }
            index = (index &+ 1) & (slots.count &- 1)
        }
        return nil
    }

    @inline(__always)
    private func isSame(_ slot: Slot, _ text: Span<UInt8>, _ ignoringCase: Bool) -> Bool {
        let start = Int(slot.start)
        let expected = texts.span.extracting(start..<start &+ text.count)
        var index = 0
        while index &+ 8 <= text.count, Self.word(text, index) == Self.word(expected, index) {
            index &+= 8
        }
        while index < text.count {
            let byte = text[unchecked: index]
            let other = expected[unchecked: index]
            guard byte == other || (ignoringCase && lowercased(byte) == other) else {
                return false
            }
            index &+= 1
        }
        return true
    }

    /// Eight bytes at a time, upper and lower case alike.
    @inline(__always)
    private static func hash(_ text: Span<UInt8>) -> UInt64 {
        var hash = UInt64(truncatingIfNeeded: text.count)
        var index = 0
        while index &+ 8 <= text.count {
            hash = mixed(hash, word(text, index))
            index &+= 8
        }
        if index < text.count {
            hash = mixed(hash, text.count >= 8 ? word(text, text.count &- 8) : shortWord(text))
        }
        return hash
    }

    @inline(__always)
    private static func mixed(_ hash: UInt64, _ word: UInt64) -> UInt64 {
        // Upper and lower case differ in this bit. The multiplier is 2^64 divided by the golden ratio.
        let product = (hash ^ (word | 0x2020_2020_2020_2020)) &* 0x9e37_79b9_7f4a_7c15
        return product ^ product >> 32
    }

    @inline(__always)
    private static func word(_ text: Span<UInt8>, _ index: Int) -> UInt64 {
        text.bytes.unsafeLoadUnaligned(fromByteOffset: index, as: UInt64.self)
    }

    @inline(__always)
    private static func shortWord(_ text: Span<UInt8>) -> UInt64 {
        var word: UInt64 = 0
        for index in text.indices { word = word << 8 | UInt64(text[unchecked: index]) }
        return word
    }
}
