// Texts found by their bytes.
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Server

@Suite struct ByteTableTests {
    private func table(_ texts: [String]) -> ByteTable {
        ByteTable(texts.enumerated().map { (Array($1.utf8), $0) })
    }

    private func number(_ text: String, in table: ByteTable) -> Int? {
        let bytes = Array("<\(text)>".utf8)
        return table.number(of: bytes.span, 1..<bytes.count - 1)
    }

    @Test func eachTextHasItsNumberAndNoOtherTextHasOne() throws {
        let texts = (0..<2000).map { String(repeating: "a", count: $0 % 40) + "\($0)" }
        let table = table(texts)
        for (number, text) in texts.enumerated() {
            try #require(self.number(text, in: table) == number)
            try #require(self.number("b" + text, in: table) == nil)
            try #require(self.number(text + "/", in: table) == nil)
        }
    }

    @Test func textsThatDifferInOneBitAreToldApart() throws {
        for length in 1...40 {
            let text = [UInt8](repeating: 0x61, count: length)
            let table = ByteTable([(text, 7)])
            #expect(table.number(of: text.span, 0..<length) == 7)
            for index in 0..<length {
                for bit in 0..<8 {
                    var other = text
                    other[index] ^= 1 << bit
                    try #require(table.number(of: other.span, 0..<length) == nil)
                }
            }
        }
    }

    @Test func lettersMatchInAnyCaseWhereThatIsAskedFor() {
        let table = table(["www.example.test", "x_-1"])
        for text in ["WWW.Example.TEST", "www.example.test", "wWw.eXaMpLe.tEsT"] {
            let bytes = Array(text.utf8)
            #expect(table.numberIgnoringCase(of: bytes.span, 0..<bytes.count) == 0)
        }
        #expect(number("WWW.example.test", in: table) == nil)
        // 0x7f and "_", 0x0d and "-" differ in the bit that tells upper from lower case.
        for bytes in [[0x78, 0x7f, 0x2d, 0x31], [0x78, 0x5f, 0x0d, 0x31]] as [[UInt8]] {
            #expect(table.numberIgnoringCase(of: bytes.span, 0..<4) == nil)
        }
    }

    @Test func aTextThatStandsTwiceKeepsItsFirstNumber() {
        let table = table(["a", "b", "a"])
        #expect(number("a", in: table) == 0)
        #expect(table.lengths == [1])
    }

    @Test func theEmptyTextIsAText() {
        #expect(number("", in: table(["", "a"])) == 0)
        #expect(number("", in: table([])) == nil)
        #expect(table([]).isEmpty)
    }
}
