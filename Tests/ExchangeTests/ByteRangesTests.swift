// Ranges: what is sent, what is ignored, and that nothing hostile grows an answer.
// SPDX-License-Identifier: Apache-2.0

import Exchange
import Testing

@Suite struct ByteRangesTests {
    /// "whole", "416", or the parts as "0-4,8-9".
    private func select(_ field: String, of length: Int64) -> String {
        let bytes = Array(field.utf8)
        switch ByteRanges.select(bytes.span, length: length) {
        case .whole: return "whole"
        case .unsatisfiable: return "416"
        case .parts(let ranges):
            return (0..<ranges.count)
                .map { "\(ranges[$0].lowerBound)-\(ranges[$0].upperBound - 1)" }.joined(
                    separator: ",")
        }
    }

    @Test(arguments: [
        ("bytes=0-4", "0-4"), ("bytes=0-0", "0-0"), ("bytes=5-", "5-9"), ("bytes=-3", "7-9"),
        ("bytes=-10", "0-9"), ("bytes=-99", "0-9"), ("bytes=0-99", "0-9"), ("bytes=9-9", "9-9"),
        ("Bytes=0-1", "0-1"), ("bytes=0-1,4-5", "0-1,4-5"), ("bytes= 8-9 ,\t0-1 ", "8-9,0-1"),
        ("bytes=,0-1,,", "0-1"), ("bytes=0-1,20-30", "0-1"), ("bytes=0-1,-0", "0-1"),
        ("bytes=10-", "416"), ("bytes=10-20", "416"), ("bytes=-0", "416"), ("bytes=20-,30-", "416"),
        ("bytes=", "whole"), ("bytes", "whole"), ("", "whole"), ("bytes=,", "whole"),
        ("bytes=-", "whole"), ("bytes=5-4", "whole"), ("bytes=a-b", "whole"), ("bytes=1", "whole"),
        ("bytes=1-2-3", "whole"), ("bytes=--1", "whole"), ("bytes=+1-2", "whole"),
        ("bytes=0 -1", "whole"), ("bytes 0-1", "whole"), ("lines=0-1", "whole"),
        ("bytes=0x1-2", "whole"),
        ("bytes=0-1;2-3", "whole"), ("bytes=0-4,4-5", "whole"), ("bytes=0-,0-", "whole"),
        ("bytes=0-1,5-4", "whole"),
        // MS15-034, CVE-2017-7529.
        ("bytes=0-18446744073709551615", "0-9"), ("bytes=18446744073709551615-", "416"),
        ("bytes=-9223372036854775808", "0-9"),
        ("bytes=9223372036854775807-9223372036854775807", "416"),
        ("bytes=0-99999999999999999999999999999999999999", "0-9"),
        ("bytes=-18446744073709551614", "0-9"),
    ])
    func aFieldSelects(field: String, parts: String) { #expect(select(field, of: 10) == parts) }

    @Test func anEmptyFileHasNoParts() {
        #expect(select("bytes=0-", of: 0) == "416")
        #expect(select("bytes=-5", of: 0) == "whole")
    }

    @Test func theLargestFileHasALastByte() {
        #expect(select("bytes=-1", of: .max) == "\(Int64.max - 1)-\(Int64.max - 1)")
        #expect(select("bytes=0-\(UInt64.max)", of: .max) == "0-\(Int64.max - 1)")
    }

    @Test func moreRangesThanAllowedAreIgnored() {
        let sixteen = (0..<16).map { "\($0 * 2)-\($0 * 2)" }.joined(separator: ",")
        #expect(select("bytes=\(sixteen)", of: 100) == sixteen)
        #expect(select("bytes=\(sixteen),99-99", of: 100) == "whole")
        let flood = "bytes=" + (0..<1000).map { "\($0)-" }.joined(separator: ",")
        #expect(select(flood, of: 2000) == "whole")
    }
}
