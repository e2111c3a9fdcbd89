// The Date field, formatted once a second.
// SPDX-License-Identifier: Apache-2.0

import Exchange
import Platform

/// The current date as a field value (RFC 9110 §5.6.7), remembered until the second changes.
struct CachedDate {
    private var second: Int64 = -1
    private(set) var text: [UInt8] = []

    mutating func update() {
        let now = CoarseClock.wallSeconds
        guard now != second else { return }
        second = now
        text.removeAll(keepingCapacity: true)
        HTTPDate.append(now, to: &text)
    }
}
