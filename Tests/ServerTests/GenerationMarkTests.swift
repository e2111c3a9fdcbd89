// What is said late of a slot's last connection, and what is known of its next.
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Server

@Suite struct GenerationMarkTests {
    @Test(arguments: [(UInt32(7), UInt32(8)), (.max, 0), (5, 5 + 1 << 31)])
    func aLateMarkDoesNotHideTheNextConnections(earlier: UInt32, later: UInt32) {
        let mark = GenerationMark()
        var current = earlier
        mark.mark(earlier) {
            let isCurrent = current == earlier
            // Just now the connection ends, and its successor is marked.
            current = later
            mark.mark(later) { true }
            return isCurrent
        }
        #expect(mark.isOn(later) && !mark.isOn(earlier))
    }

    @Test(arguments: [(UInt32(7), UInt32(8)), (.max, 0), (5, 5 + 1 << 31)])
    func theNextConnectionIsMarkedHoweverLongTheLastMarkIsAgo(earlier: UInt32, later: UInt32) {
        let mark = GenerationMark()
        #expect(!mark.isOn(earlier) && !mark.isOn(later))
        mark.mark(earlier) { true }
        #expect(mark.isOn(earlier) && !mark.isOn(later))
        mark.mark(later) { true }
        #expect(mark.isOn(later) && !mark.isOn(earlier))
    }
}
