// Bytes that are looked at by eight.
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Exchange

@Suite struct BytesTests {
    @Test func aValueEndsWhereEachByteAloneSaysSo() {
        // Every byte at every place of a word, beside bytes that a borrow could spoil.
        for filler in [UInt8](arrayLiteral: 0x20, 0x21, 0x7e, 0x80, 0xff, 0x09) {
            for length in 1...19 {
                for place in 0..<length {
                    for byte in UInt8.min...UInt8.max {
                        var bytes = [UInt8](repeating: filler, count: length)
                        bytes[place] = byte
                        let expected = bytes.firstIndex { !isValueByte($0) } ?? length
                        let found = endOfValue(in: bytes.span, from: 0)
                        if found != expected {
                            Issue.record("\(bytes): ends at \(found), not at \(expected)")
                        }
                    }
                }
            }
        }
    }

    @Test func tokensHaveLettersDigitsAndTheirMarksAlone() {
        for byte in UInt8.min...UInt8.max {
            let scalar = Unicode.Scalar(byte)
            let isWord = byte < 0x80 && (scalar.properties.isAlphabetic || isDigit(byte))
            let isMark = "!#$%&'*+-.^_`|~".utf8.contains(byte)
            #expect(isToken(byte) == (isWord || isMark), "\(byte)")
        }
    }

    @Test func aLineFeedIsFoundWhereverItStands() {
        for filler in [UInt8](arrayLiteral: 0x0b, 0x09, 0x8a, 0x00) {
            for length in 1...19 {
                for place in 0..<length {
                    var bytes = [UInt8](repeating: filler, count: length)
                    bytes[place] = 0x0a
                    #expect(lineFeed(in: bytes.span, from: 0) == place)
                }
                let none = [UInt8](repeating: filler, count: length)
                #expect(lineFeed(in: none.span, from: 0) == length)
            }
        }
    }
}
