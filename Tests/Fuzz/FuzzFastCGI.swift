// FastCGI records and pairs from a peer that lies: whole and in pieces, with one result.
// SPDX-License-Identifier: Apache-2.0

import Exchange

private struct Outcome: Equatable {
    var headers: [[Int]] = []
    var content: [UInt8] = []
    var isMalformed = false
    var isComplete = false
}

private func decode(_ bytes: [UInt8], by size: Int) -> Outcome {
    var outcome = Outcome()
    var decoder = FastCGIDecoder()
    var start = 0
    while start < bytes.count {
        let piece = Array(bytes[start..<min(bytes.count, start + size)])
        start += piece.count
        var offset = 0
        do {
            while let step = try decoder.next(piece.span, &offset) {
                switch step {
                case .begin(let header):
                    outcome.headers.append([
                        Int(header.type), Int(header.requestID), header.contentLength,
                        header.paddingLength,
                    ])
                case .content(let range): outcome.content += piece[range]
                case .end: break
                }
            }
        } catch {
            outcome.isMalformed = true
            return outcome
        }
    }
    outcome.isComplete = decoder.isBetweenRecords
    return outcome
}

@c(LLVMFuzzerTestOneInput)
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: start, count: count))
    let whole = decode(bytes, by: .max / 2)
    precondition(decode(bytes, by: 1) == whole, "byte by byte")
    precondition(decode(bytes, by: 7) == whole, "by sevens")
    _ = try? FastCGIBegin(bytes.span)
    _ = try? FastCGIEnd(bytes.span)
    var pairs = FastCGIPairs()
    while let pair = try? pairs.next(in: bytes.span) {
        var encoded: [UInt8] = []
        let value = Array(bytes[pair.value])
        FastCGI.appendPair(bytes.span.extracting(pair.name), value.span, to: &encoded)
        var again = FastCGIPairs()
        guard let read = try? again.next(in: encoded.span) else {
            preconditionFailure("a pair was lost")
        }
        precondition(encoded[read.name].elementsEqual(bytes[pair.name]), "a name has changed")
        precondition(encoded[read.value].elementsEqual(value), "a value has changed")
    }
    return 0
}
