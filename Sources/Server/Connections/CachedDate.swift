// The Date field, formatted once a second.
// SPDX-License-Identifier: Apache-2.0

import Exchange
import Platform

/// The current date as a field value (RFC 9110 §5.6.7), remembered until the second changes.
struct CachedDate {
    private var second: Int64 = -1
    private var text: [UInt8] = []
    /// How most heads of this second begin.
    private var commonStart: [UInt8] = []

    /// The date, and how most heads of this second begin; lent, so that no reference is counted.
    func withText<Result>(
        _ body: (_ date: UnsafeBufferPointer<UInt8>, _ commonStart: UnsafeBufferPointer<UInt8>) ->
            Result
    ) -> Result {
        text.withUnsafeBufferPointer { text in
            commonStart.withUnsafeBufferPointer { body(text, $0) }
        }
    }

    mutating func update() {
        let now = CoarseClock.wallSeconds
        guard now != second else { return }
        second = now
        text.removeAll(keepingCapacity: true)
        HTTPDate.append(now, to: &text)
        commonStart.removeAll(keepingCapacity: true)
        HTTP1Encoding.commonStart(date: text, to: &commonStart)
    }
}
