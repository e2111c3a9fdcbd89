// FastCGI records against the specification and against peers that lie.
// SPDX-License-Identifier: Apache-2.0

import Exchange
import Testing
import TestSupport

/// A record as a test compares it.
struct Record: Equatable {
    var type: UInt8
    var id: UInt16
    var content: [UInt8]
}

/// Decodes a whole stream given in pieces of `size` bytes; the records, and whether it ended between two.
func records(
    in stream: [UInt8], piece size: Int = .max
) throws(FastCGIError) -> (records: [Record], isComplete: Bool) {
    var decoder = FastCGIDecoder()
    var records: [Record] = []
    var start = 0
    while start < stream.count {
        let end = start + min(size, stream.count - start)
        let piece = Array(stream[start..<end])
        var offset = 0
        while let step = try decoder.next(piece.span, &offset) {
            switch step {
            case .begin(let header):
                records.append(Record(type: header.type, id: header.requestID, content: []))
            case .content(let range): records[records.count - 1].content += piece[range]
            case .end: break
            }
        }
        start = end
    }
    return (records, decoder.isBetweenRecords)
}

func begin(_ content: [UInt8]) throws(FastCGIError) -> FastCGIBegin {
    try FastCGIBegin(content.span)
}

func end(_ content: [UInt8]) throws(FastCGIError) -> FastCGIEnd { try FastCGIEnd(content.span) }

extension FastCGIParams {
    mutating func append(
        _ name: StaticString, _ value: [UInt8], to bytes: inout [UInt8]
    ) throws(FastCGIError) {
        try append(name, value.span, to: &bytes)
    }
}

func raw(
    version: UInt8 = 1, type: UInt8 = 6, id: UInt16 = 1, content: [UInt8], padding: Int = 0,
    reserved: UInt8 = 0
) -> [UInt8] {
    [
        version, type, UInt8(id >> 8), UInt8(id & 0xff), UInt8(content.count >> 8),
        UInt8(content.count & 0xff), UInt8(padding), reserved,
    ] + content + [UInt8](repeating: 0xff, count: padding)
}

@Suite struct FastCGIDecoderTests {
    @Test(arguments: [0, 1, 7, 8, 255, 256, 65527, 65528, 65534, 65535], [0, 1, 7, 8, 254, 255])
    func recordOfAnySizeIsParsedExactly(length: Int, padding: Int) throws {
        // The padding consists of bytes that look like nothing; the next record follows at once.
        let content = [UInt8](repeating: 0x61, count: length)
        let stream = raw(content: content, padding: padding) + raw(type: 3, id: 7, content: [1])
        for piece in [1, 9, 4096, Int.max] {
            let decoded = try records(in: stream, piece: piece)
            #expect(decoded.isComplete)
            #expect(
                decoded.records == [
                    Record(type: 6, id: 1, content: content), Record(type: 3, id: 7, content: [1]),
                ])
        }
    }

    @Test func contentThatLooksLikeARecordStaysContent() throws {
        var inner: [UInt8] = []
        FastCGI.appendBegin(.responder, id: 1, keepsConnection: true, to: &inner)
        var stream: [UInt8] = []
        FastCGI.appendContent(inner.span, .stdin, id: 1, to: &stream)
        FastCGI.appendEmpty(.stdin, id: 1, to: &stream)
        let decoded = try records(in: stream, piece: 3).records
        #expect(decoded.map(\.type) == [5, 5])
        #expect(decoded[0].content == inner)
    }

    @Test(arguments: [
        raw(version: 0, content: []), raw(version: 2, content: []), raw(content: [], reserved: 1),
        Array("HTTP/1.1 200 OK\r\n".utf8),
    ])
    func headerThatIsNoneIsRefused(stream: [UInt8]) {
        #expect(throws: FastCGIError.malformedHeader) { try records(in: stream) }
    }

    @Test func streamThatStopsInsideARecordIsNotComplete() throws {
        let whole = raw(content: Array("hello".utf8), padding: 3)
        for count in 1..<whole.count {
            #expect(try !records(in: Array(whole[..<count])).isComplete)
        }
    }

    @Test func beginAndEndAreReadAsWritten() throws {
        var stream: [UInt8] = []
        FastCGI.appendBegin(.responder, id: 0x1234, keepsConnection: true, to: &stream)
        FastCGI.appendEnd(.overloaded, applicationStatus: 0xfedc_ba98, id: 0x1234, to: &stream)
        let decoded = try records(in: stream).records
        #expect(decoded.map(\.id) == [0x1234, 0x1234])
        let begin = try begin(decoded[0].content)
        #expect(begin.role == FastCGI.Role.responder.rawValue && begin.keepsConnection)
        let ending = try end(decoded[1].content)
        #expect(ending.applicationStatus == 0xfedc_ba98 && ending.protocolStatus == .overloaded)
        #expect(throws: FastCGIError.malformedContent) { try end([0, 0, 0, 0, 0, 0, 0]) }
        #expect(try end([0, 0, 0, 0, 4, 0, 0, 0]).protocolStatus == nil)
    }

    @Test func randomDamageNeverTrapsAndNeverLosesBytes() {
        var random = SeededNumbers(seed: 0x4d6f_7274)
        var seed: [UInt8] = []
        for length in [0, 1, 8, 300] {
            seed += raw(content: [UInt8](repeating: 0x41, count: length), padding: length & 7)
        }
        for _ in 0..<3000 {
            var stream = seed
            for _ in 0..<random.below(6) { stream[random.below(stream.count)] = random.byte() }
            let piece = 1 + random.below(40)
            do {
                let decoded = try records(in: stream, piece: piece)
                let whole = try records(in: stream)
                #expect(decoded == whole)
                #expect(decoded.records.reduce(0) { $0 + $1.content.count } <= stream.count)
            } catch {
                #expect(error == .malformedHeader)
            }
        }
    }
}

@Suite struct FastCGIPairsTests {
    func pairs(_ bytes: [UInt8]) throws -> [[[UInt8]]] {
        var reader = FastCGIPairs()
        var found: [[[UInt8]]] = []
        while let pair = try reader.next(in: bytes.span) {
            found.append([Array(bytes[pair.name]), Array(bytes[pair.value])])
        }
        return found
    }

    @Test(arguments: [
        // Cut after the name's length, in a long length, and before the value's end.
        [1], [0x80], [0x80, 0, 0], [1, 0x80, 0, 0, 0], [1, 1, 0x61], [2, 0, 0x61],
        // CVE-2025-23016: two lengths near 2^31.
        [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x61],
        [0xff, 0xff, 0xff, 0xff, 1, 0x61], [1, 0xff, 0xff, 0xff, 0xff, 0x61],
    ])
    func lengthsBeyondTheBytesAreRefused(bytes: [UInt8]) {
        #expect(throws: FastCGIError.malformedPair) { try pairs(bytes) }
    }

    @Test(arguments: [0, 1, 127, 128, 255, 256, 65527 - 4], [0, 1, 127, 128, 255, 256])
    func pairOfAnyLengthComesBack(nameLength: Int, valueLength: Int) throws {
        let name = [UInt8](repeating: 0x4e, count: nameLength)
        let value = [UInt8](repeating: 0x56, count: valueLength)
        var bytes: [UInt8] = []
        FastCGI.appendPair(name.span, value.span, to: &bytes)
        FastCGI.appendPair(value.span, name.span, to: &bytes)
        #expect(try pairs(bytes) == [[name, value], [value, name]])
    }
}

@Suite struct FastCGIParamsTests {
    @Test func noPairStraddlesTwoRecordsAndNoneIsLost() throws {
        var random = SeededNumbers(seed: 7)
        for _ in 0..<20 {
            var expected: [[[UInt8]]] = []
            var stream: [UInt8] = []
            var params = FastCGIParams(id: 9)
            for _ in 0..<12 {
                let name = [UInt8](repeating: 0x4e, count: random.below(300))
                let value = [UInt8](repeating: 0x56, count: random.below(40000))
                try params.append(name.span, value.span, to: &stream)
                expected.append([name, value])
            }
            params.finish(&stream)
            let decoded = try records(in: stream)
            #expect(decoded.isComplete && decoded.records.last?.content.isEmpty == true)
            var found: [[[UInt8]]] = []
            for record in decoded.records.dropLast() {
                #expect(record.type == 4 && record.id == 9 && !record.content.isEmpty)
                // Each record alone: a pair that went on in the next would be malformed.
                found += try FastCGIPairsTests().pairs(record.content)
            }
            #expect(found == expected)
        }
    }

    @Test func pairThatDoesNotFitOneRecordIsRefusedAndLeavesTheStreamWhole() throws {
        let largest = [UInt8](repeating: 0x56, count: 65535 - 4 - 4 - 1)
        var stream: [UInt8] = []
        var params = FastCGIParams(id: 1)
        try params.append("N", [], to: &stream)
        try params.append("NAME", largest, to: &stream)
        let before = stream
        #expect(throws: FastCGIError.pairTooLarge) {
            try params.append("NAMES", largest + [0], to: &stream)
        }
        #expect(stream == before)
        params.finish(&stream)
        #expect(
            try records(in: stream).records.map(\.content.count) == [3, 4 + largest.count + 5, 0])
    }

    @Test func contentOfAnySizeIsCutIntoRecordsPhpAccepts() throws {
        for length in [0, 1, 65535, 65536, 131070, 131071, 200_000] {
            let body = (0..<length).map { UInt8(truncatingIfNeeded: $0) }
            var stream: [UInt8] = []
            FastCGI.appendContent(body.span, .stdin, id: 1, to: &stream)
            let decoded = try records(in: stream).records
            #expect(Array(decoded.map(\.content).joined()) == body)
            #expect(decoded.allSatisfy { !$0.content.isEmpty })
        }
        for length in 0...65535 {
            let padding = FastCGI.padding(after: length)
            #expect(length + padding <= 65535 && (padding == 0 || (length + padding) % 8 == 0))
        }
    }

    @Test func pairsWrittenInPlaceAreThePairsThatWereMeant() throws {
        for length in [0, 1, 127, 128, 60_000, 65_520] {
            var params = FastCGIParams(id: 1)
            var bytes: [UInt8] = []
            let long = [UInt8](repeating: 0x61, count: length)
            try params.append("ABSENT", to: &bytes) { _ in false }
            #expect(bytes.isEmpty)
            try params.append("FIRST", to: &bytes) { value in
                value.append(contentsOf: [0x31])
                return true
            }
            try params.append("LONG", to: &bytes) { value in
                value.append(contentsOf: long)
                return true
            }
            try params.append("ABSENT", to: &bytes) { _ in false }
            var pairs: [UInt8] = []
            FastCGI.appendPair("LAST".utf8.span, "x".utf8.span, to: &pairs)
            try params.append(pairs: pairs.span, to: &bytes)
            params.finish(&bytes)

            var decoder = FastCGIDecoder()
            var content: [UInt8] = []
            var offset = 0
            while let step = try decoder.next(bytes.span, &offset) {
                if case .content(let range) = step { content.append(contentsOf: bytes[range]) }
            }
            var reader = FastCGIPairs()
            var found: [[UInt8]] = []
            while let pair = try reader.next(in: content.span) {
                found.append(Array(content[pair.name]))
                found.append(Array(content[pair.value]))
            }
            let names = ["FIRST", "LONG", "LAST"].map { Array($0.utf8) }
            #expect(found == [names[0], [0x31], names[1], long, names[2], [0x78]])
        }
        var params = FastCGIParams(id: 1)
        var bytes: [UInt8] = []
        #expect(throws: FastCGIError.pairTooLarge) {
            try params.append("LONG", to: &bytes) { value in
                value.append(contentsOf: [UInt8](repeating: 0, count: 65_536))
                return true
            }
        }
        #expect(bytes.isEmpty)
    }
}
