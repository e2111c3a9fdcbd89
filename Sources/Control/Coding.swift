// Messages as bytes: numbers little-endian, strings and lists with their count before them.
// SPDX-License-Identifier: Apache-2.0

/// Bytes that are no message: their sender is broken or hostile.
package enum ControlError: Error, Equatable, CustomStringConvertible {
    /// Ends too early, too late, or holds a value that does not exist.
    case malformed
    /// The wrong number of descriptors came with the message.
    case descriptors(expected: Int, found: Int)

    package var description: String {
        switch self {
        case .malformed: "malformed control message"
        case .descriptors(let expected, let found):
            "control message with \(found) descriptors instead of \(expected)"
        }
    }
}

struct MessageWriter {
    private(set) var bytes: [UInt8] = []

    init(kind: UInt8) { bytes.append(kind) }

    mutating func append<Number: FixedWidthInteger>(_ number: Number) {
        withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func append(_ string: [UInt8]) {
        append(UInt32(clamping: string.count))
        bytes.append(contentsOf: string)
    }

    mutating func append(_ string: String) { append(Array(string.utf8)) }

    mutating func append(_ flag: Bool) { append(UInt8(flag ? 1 : 0)) }

    /// The last of a message, which needs no count.
    mutating func append(rest: [UInt8]) { bytes.append(contentsOf: rest) }

    mutating func append(_ end: ProcessEnd) {
        switch end {
        case .exited(let code):
            append(UInt8(0))
            append(code)
        case .killed(let signal):
            append(UInt8(1))
            append(signal)
        }
    }
}

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
