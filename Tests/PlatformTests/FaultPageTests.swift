// A page of faults holds whatever its process has written, true or not.
// SPDX-License-Identifier: Apache-2.0

import Platform
import Testing

struct FaultPageTests {
    @Test func anEmptyPageSaysNothing() throws {
        let page = try FaultPage.makeFile()
        #expect(FaultPage.unwellTag(page.number) == 0)
        #expect(FaultPage.read(page.number) == FaultPage())
    }

    @Test func aPageOfAnySizeAndContentIsReadWithoutHarm() throws {
        var number: UInt64 = 88_172_645_463_325_252
        func next() -> UInt8 {
            number ^= number << 13
            number ^= number >> 7
            number ^= number << 17
            return UInt8(truncatingIfNeeded: number)
        }
        let page = try FaultPage.makeFile()
        let size = try Files.status(page.number).size
        for length in [0, 1, 100, Int(size) / 2, Int(size), Int(size) + 4096] {
            for fill in [0xff, 0x01, 0x7f, nil] as [UInt8?] {
                let page = try Files.memory(named: "hostile")
                var bytes = [UInt8](repeating: fill ?? 0, count: length)
                if fill == nil { for index in bytes.indices { bytes[index] = next() } }
                try bytes.withUnsafeBytes { try Files.writeAll(page.number, $0) }
                let read = FaultPage.read(page.number)
                #expect(read.modules.count <= 256)
                #expect((read.fault?.frames.count ?? 0) <= 32)
                #expect(read.activities.allSatisfy { $0.text.utf8.count <= 600 })
            }
        }
    }
}
