// Puts a message together.
// SPDX-License-Identifier: Apache-2.0

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
