// Takes a message apart.
// SPDX-License-Identifier: Apache-2.0

/// Reads what `MessageWriter` wrote; every count is checked against the bytes that are there.
struct MessageReader {
    private let bytes: [UInt8]
    private var next = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    private var left: Int { bytes.count - next }

    mutating func number<Number: FixedWidthInteger>(
        _ type: Number.Type = Number.self
    ) throws(ControlError) -> Number {
        let size = MemoryLayout<Number>.size
        guard left >= size else { throw .malformed }
        let value = bytes.withUnsafeBytes {
            $0.loadUnaligned(fromByteOffset: next, as: Number.self)
        }
        next += size
        return Number(littleEndian: value)
    }

    /// A count of things that take at least `size` bytes each, so no more than can be there.
    mutating func count(ofSize size: Int) throws(ControlError) -> Int {
        let count = Int(try number(UInt32.self))
        guard count <= left / size else { throw .malformed }
        return count
    }

    mutating func string() throws(ControlError) -> [UInt8] {
        let count = try count(ofSize: 1)
        defer { next += count }
        return Array(bytes[next..<next + count])
    }

    mutating func bool() throws(ControlError) -> Bool {
        switch try number(UInt8.self) {
        case 0: false
        case 1: true
        default: throw .malformed
        }
    }

    mutating func text() throws(ControlError) -> String {
        guard let text = String(validating: try string(), as: UTF8.self) else { throw .malformed }
        return text
    }

    /// All that is left.
    mutating func rest() -> [UInt8] {
        defer { next = bytes.count }
        return Array(bytes[next...])
    }

    /// The index of a pool, as small as any real one.
    mutating func index() throws(ControlError) -> Int { Int(try number(UInt32.self)) }

    mutating func end() throws(ControlError) -> ProcessEnd {
        switch try number(UInt8.self) {
        case 0: .exited(code: try number())
        case 1: .killed(signal: try number())
        default: throw .malformed
        }
    }

    /// Nothing may follow a message.
    func finish() throws(ControlError) {
        guard left == 0 else { throw .malformed }
    }
}
