// What a process takes, of this very one.
// SPDX-License-Identifier: Apache-2.0

import Glibc
import Platform
import Testing

struct ProcessUseTests {
    @Test func memoryAndDescriptorsOfAProcessAreCounted() {
        let opened = (0..<300).map { _ in open("/dev/null", O_RDONLY | O_CLOEXEC) }
        defer { for descriptor in opened { close(descriptor) } }
        let use = ProcessUse(of: getpid(), memory: true, descriptors: true)
        #expect(use.resident > 1 << 20 && use.own > 0 && use.own <= use.resident)
        #expect(use.descriptors >= 300)
    }

    @Test func whatIsNotAskedForIsNotCounted() {
        let none = ProcessUse(of: getpid(), memory: false, descriptors: false)
        #expect(none == ProcessUse())
    }

    @Test func ofNobodyNothingIsKnown() {
        #expect(ProcessUse(of: -1, memory: true, descriptors: true) == ProcessUse())
    }

    @Test func localTimeGoesOnByMinutesWhateverTheZone() {
        // In no zone do clocks change at the end of a June day's 10:15 UTC.
        let start: Int64 = 1_781_777_700
        let first = LocalTime(at: start)
        let later = LocalTime(at: start + 86400)
        #expect(later.minute == first.minute && later.day > first.day)
        #expect(LocalTime(at: start + 59) == first)
    }
}
