// The text a response head was made of: extensions send the same one again and again.
// SPDX-License-Identifier: Apache-2.0

import Platform

/// Status and field lines as an extension gave them. A head made of the same text is the same head, so it
/// need not be read again.
struct HeadSource {
    private var text: [UInt8] = []
    private var statusLength = 0

    var isEmpty: Bool { text.isEmpty }

    func isMade(
        of status: UnsafeBufferPointer<UInt8>?, _ block: UnsafeBufferPointer<UInt8>
    ) -> Bool {
        let length = status?.count ?? 0
        guard !text.isEmpty, length == statusLength, text.count == length + block.count else {
            return false
        }
        return text.withUnsafeBytes { text in
            isSame(text.baseAddress!, status?.baseAddress, length)
                && isSame(text.baseAddress! + length, block.baseAddress, block.count)
        }
    }

    mutating func remember(
        _ status: UnsafeBufferPointer<UInt8>?, _ block: UnsafeBufferPointer<UInt8>
    ) {
        text.removeAll(keepingCapacity: true)
        // A longer one is not worth being compared.
        guard block.count <= 1024, (status?.count ?? 0) <= 256 else { return }
        if let status { text.append(contentsOf: status) }
        statusLength = text.count
        text.append(contentsOf: block)
    }

    mutating func forget() { text.removeAll(keepingCapacity: true) }
}
