// Request heads and chunked bodies: any bytes, whole and in two pieces, with one result.
// SPDX-License-Identifier: Apache-2.0

import Exchange

private struct Outcome: Equatable {
    var length: Int?
    var status = 200
    var head: [UInt8] = []
    var path: [UInt8] = []
    var body: [UInt8] = []
    var end: Int?
    var isMalformed = false
}

private func parse(_ bytes: [UInt8], _ pieces: [Int]) -> Outcome {
    var outcome = Outcome()
    let request = Request()
    var parser = RequestParser(limits: RequestLimits(requestLine: 300, head: 800, fields: 10))
    for count in pieces + [bytes.count] {
        do {
            guard
                let length = try parser.parse(bytes.span.extracting(0..<count), into: request)
            else { continue }
            outcome.length = length
            break
        } catch {
            outcome.status = error.status
            return outcome
        }
    }
    guard let length = outcome.length else { return outcome }
    outcome.head = request.bytes
    outcome.path = request.path
    precondition(
        request.path.first == UInt8(ascii: "/") || request.path.isEmpty || request.path == [0x2a])
    for field in request.fields { _ = request.text(field.name) + request.text(field.value) }
    _ = request.text(request.query) + request.text(request.authority)
    if request.isChunked { decode(bytes, from: length, pieces, &outcome) }
    let rest = Array(bytes[length...])
    if request.redirect(to: rest) { precondition(request.path.first == UInt8(ascii: "/")) }
    _ = request.text(request.methodName)
    return outcome
}

private func decode(_ bytes: [UInt8], from start: Int, _ pieces: [Int], _ outcome: inout Outcome) {
    var decoder = ChunkedDecoder()
    var cursor = start
    for count in pieces.filter({ $0 > start }) + [bytes.count] {
        reading: while true {
            do {
                switch try decoder.next(bytes.span.extracting(0..<count), &cursor) {
                case .data(let range): outcome.body += bytes[range]
                case .needsMore: break reading
                case .end:
                    outcome.end = cursor
                    return
                }
            } catch {
                outcome.isMalformed = true
                return
            }
        }
    }
}

@c(LLVMFuzzerTestOneInput)
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: start, count: count))
    let whole = parse(bytes, [])
    precondition(parse(bytes, [count / 2]) == whole, "half and half")
    precondition(parse(bytes, [Int(bytes.last ?? 0) % (count + 1)]) == whole, "split anywhere")
    precondition(parse(bytes, Array(0...count)) == whole, "byte by byte")
    return 0
}
