// An open file as a response: whole, in part, or not at all because the client has it.
// SPDX-License-Identifier: Apache-2.0

import Exchange
import Platform

extension StaticFiles {
    /// Files up to this size travel with their head in one send; larger ones by sendfile(2), which is
    /// measured to cost less from here on: 1.21 against 1.40 µs for 1 KiB, 1.76 against 1.56 for 8 KiB.
    private static var smallFile: Int64 { 8 * 1024 - 1 }
    /// The parts of a multipart answer are held in memory; beyond this the whole file is sent instead,
    /// without holding a thread or memory (RFC 9110 §14.2 lets a server ignore Range).
    private static var mostInParts: Int64 { 256 * 1024 }

    static func send(
        _ exchange: Exchange, _ file: consuming Descriptor, _ status: FileStatus,
        _ type: StaticString
    ) -> Result {
        let request = exchange.request
        guard request.method == .get || request.method == .head else {
            return refuse(exchange, 405, allow: "GET, HEAD")
        }
        let now = WallClock.seconds
        let representation = FileRepresentation(status, type: type, now: now)
        let verdict = representation.withTag {
            Conditions.judge(request, tag: $0, modified: representation.modified, now: now)
        }
        switch verdict {
        case .failed: return refuse(exchange, 412)
        case .notModified: sendUnchanged(exchange, representation)
        case .proceed(range: false): sendWhole(exchange, file, representation)
        case .proceed(range: true): sendRanges(exchange, file, representation)
        }
        exchange.finish()
        return .answered
    }

    private static func sendUnchanged(_ exchange: Exchange, _ representation: FileRepresentation) {
        var head = exchange.lendHead(status: 304)
        defer { exchange.takeBack(&head) }
        representation.addValidators(to: &head)
        _ = exchange.sendHead(head)
    }

    private static func sendWhole(
        _ exchange: Exchange, _ file: consuming Descriptor, _ representation: FileRepresentation
    ) {
        var head = exchange.lendHead(status: 200)
        defer { exchange.takeBack(&head) }
        representation.addType(to: &head)
        representation.addValidators(to: &head)
        head.addOwnField("Accept-Ranges") { $0.append("bytes") }
        head.contentLength = representation.length
        guard exchange.sendHead(head), exchange.request.method != .head else { return }
        send(exchange, file, 0..<representation.length)
    }

    private static func sendRanges(
        _ exchange: Exchange, _ file: consuming Descriptor, _ representation: FileRepresentation
    ) {
        let request = exchange.request
        guard let field = request.value(of: "Range") else {
            return sendWhole(exchange, file, representation)
        }
        let bytes = request.bytes
        switch ByteRanges.select(bytes.span.extracting(field.range), length: representation.length)
        {
        case .whole: sendWhole(exchange, file, representation)
        case .unsatisfiable: sendUnsatisfiable(exchange, representation)
        case .parts(let ranges) where ranges.count == 1:
            sendPart(exchange, file, representation, ranges[0])
        case .parts(let ranges):
            var total: Int64 = 0
            for index in 0..<ranges.count { total += Int64(ranges[index].count) }
            guard total <= mostInParts else { return sendWhole(exchange, file, representation) }
            sendParts(exchange, file, representation, ranges)
        }
    }

    private static func sendUnsatisfiable(
        _ exchange: Exchange, _ representation: FileRepresentation
    ) {
        var head = exchange.lendHead(status: 416)
        defer { exchange.takeBack(&head) }
        var range = Array("bytes */".utf8)
        appendDecimal(UInt64(representation.length), to: &range)
        head.addField("Content-Range", range.span)
        head.contentLength = 0
        _ = exchange.sendHead(head)
    }

    private static func sendPart(
        _ exchange: Exchange, _ file: consuming Descriptor, _ representation: FileRepresentation,
        _ part: Range<Int64>
    ) {
        var head = exchange.lendHead(status: 206)
        defer { exchange.takeBack(&head) }
        representation.addType(to: &head)
        representation.addValidators(to: &head)
        var range: [UInt8] = []
        representation.append(part, to: &range)
        head.addField("Content-Range", range.span)
        head.contentLength = Int64(part.count)
        guard exchange.sendHead(head) else { return }
        send(exchange, file, part)
    }

    /// multipart/byteranges (RFC 9110 §14.6).
    private static func sendParts(
        _ exchange: Exchange, _ file: consuming Descriptor, _ representation: FileRepresentation,
        _ ranges: ByteRanges
    ) {
        let boundary = Self.boundary()
        var body: [UInt8] = []
        for index in 0..<ranges.count {
            body.append(
                contentsOf: "\r\n--\(boundary)\r\nContent-Type: \(representation.type)".utf8)
            body.append(contentsOf: "\r\nContent-Range: ".utf8)
            representation.append(ranges[index], to: &body)
            body.append(contentsOf: "\r\n\r\n".utf8)
            guard read(file, ranges[index], to: &body) else {
                return exchange.fail(
                    status: 500, reason: "the file became shorter while it was read")
            }
        }
        body.append(contentsOf: "\r\n--\(boundary)--\r\n".utf8)
        var head = exchange.lendHead(status: 206)
        defer { exchange.takeBack(&head) }
        let type = Array("multipart/byteranges; boundary=\(boundary)".utf8)
        head.addField("Content-Type", type.span)
        representation.addValidators(to: &head)
        head.contentLength = Int64(body.count)
        guard exchange.sendHead(head) else { return }
        _ = body.withUnsafeBytes { exchange.write($0) }
    }

    /// Nobody who wrote the file can have known it.
    private static func boundary() -> String {
        var generator = SystemRandomNumberGenerator()
        return "part-" + String(generator.next() as UInt64, radix: 36)
    }

    /// Appends that part of the file; false when the file ends before.
    private static func read(
        _ file: borrowing Descriptor, _ part: Range<Int64>, to body: inout [UInt8]
    ) -> Bool {
        let number = file.number
        let start = body.count
        body.append(contentsOf: repeatElement(0, count: part.count))
        return body.withUnsafeMutableBytes { bytes in
            let room = UnsafeMutableRawBufferPointer(rebasing: bytes[start...])
            return readFully(number, into: room, at: part.lowerBound) == part.count
        }
    }

    /// Sends part of the file as the body. A file that has become shorter leaves the body short, and
    /// `finish` cuts the connection.
    private static func send(
        _ exchange: Exchange, _ file: consuming Descriptor, _ part: Range<Int64>
    ) {
        guard part.count > 0 else { return }
        guard Int64(part.count) <= smallFile else {
            _ = exchange.sendFile(file, offset: part.lowerBound, count: Int64(part.count))
            return
        }
        let number = file.number
        // Not in memory of this call's: so much of it would be allocated each time.
        exchange.withScratch(count: part.count) { room in
            let count = readFully(number, into: room, at: part.lowerBound)
            _ = exchange.write(UnsafeRawBufferPointer(rebasing: room[..<count]))
        }
    }

    /// The bytes read: fewer than there is room for when the file ends or cannot be read.
    private static func readFully(
        _ file: Int32, into room: UnsafeMutableRawBufferPointer, at offset: Int64
    ) -> Int {
        var done = 0
        while done < room.count {
            let rest = UnsafeMutableRawBufferPointer(rebasing: room[done...])
            guard let count = try? Files.read(file, into: rest, at: offset + Int64(done)), count > 0
            else { break }
            done += count
        }
        return done
    }
}
