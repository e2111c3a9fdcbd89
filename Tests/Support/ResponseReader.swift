// The one reader of HTTP/1 responses that all tests share. It uses nothing of the server's own framing.
// SPDX-License-Identifier: Apache-2.0

/// Takes the responses on one connection apart, strictly: what is not well-formed throws.
package final class ResponseReader {
    /// What came of one receive.
    package enum Arrival {
        case bytes([UInt8])
        /// The other side has closed.
        case end
        case reset
    }

    /// The connection ended with a reset.
    package private(set) var wasReset = false
    private let receive: () throws -> Arrival
    private var received: [UInt8] = []
    private var consumed = 0

    /// `receive` waits for the next bytes.
    package init(_ receive: @escaping () throws -> Arrival) { self.receive = receive }

    /// The response at the beginning of these bytes, behind which the connection ends: with what there is of
    /// its body, and with status 0 when there is no head.
    package static func response(in bytes: [UInt8], headOnly: Bool = false) -> HTTPResponse {
        var arrivals = [Arrival.bytes(bytes)][...]
        let reader = ResponseReader { arrivals.popFirst() ?? .end }
        guard var response = try? reader.responseHead() else { return HTTPResponse() }
        try? reader.readBody(into: &response, headOnly: headOnly)
        return response
    }

    private var pending: ArraySlice<UInt8> { received[consumed...] }

    // MARK: Responses

    /// Reads the next final response; `headOnly` for HEAD. Interim (1xx) responses go to `interim`.
    package func response(headOnly: Bool = false, interim: ((HTTPResponse) -> Void)? = nil) throws
        -> HTTPResponse
    {
        while true {
            var response = try responseHead()
            guard (100..<200).contains(response.status), response.status != 101 else {
                try readBody(into: &response, headOnly: headOnly)
                return response
            }
            interim?(response)
        }
    }

    /// Reads one response head, interim ones too.
    package func responseHead() throws -> HTTPResponse {
        while true {
            if let end = endOfHead(in: pending) {
                let bytes = received[consumed..<end]
                guard let head = HTTPResponse.head(bytes) else {
                    throw ClientError.notHTTP(String(decoding: bytes.prefix(200), as: UTF8.self))
                }
                consumed = end
                return head
            }
            switch try more() {
            case .bytes: continue
            case .end where pending.isEmpty: throw ClientError.closedBeforeResponse
            case .reset where pending.isEmpty: throw ClientError.resetBeforeResponse
            case .end, .reset: throw ClientError.truncated
            }
        }
    }

    private func endOfHead(in bytes: ArraySlice<UInt8>) -> Int? {
        guard bytes.count >= 4 else { return nil }
        return bytes.withUnsafeBufferPointer { room in
            var index = 3
            while index < room.count {
                if room[index] == 10, room[index - 1] == 13, room[index - 2] == 10,
                    room[index - 3] == 13
                {
                    return bytes.startIndex + index + 1
                }
                index += 1
            }
            return nil
        }
    }

    /// Reads the body of a response whose head was read.
    package func readBody(into response: inout HTTPResponse, headOnly: Bool = false) throws {
        let codings = response.values("Transfer-Encoding")
        let lengths = response.values("Content-Length")
        response.isChunked = codings == ["chunked"]
        if headOnly || response.status == 204 || response.status == 304 {
            // None follows, whatever its fields say.
        } else if !codings.isEmpty {
            guard response.isChunked, lengths.isEmpty else {
                throw ClientError.notHTTP("\(response.fields)")
            }
            try readChunks(into: &response)
        } else if !lengths.isEmpty {
            guard lengths.count == 1, let length = Int(lengths[0]) else {
                throw ClientError.notHTTP("\(lengths)")
            }
            try take(length, into: &response.body)
        } else {
            response.body = try rest()
        }
        response.isComplete = true
    }

    private func readChunks(into response: inout HTTPResponse) throws {
        while true {
            let line = try self.line()
            guard let size = Int(line.prefix { $0 != ";" }, radix: 16) else {
                throw ClientError.notHTTP(line)
            }
            if size == 0 {
                while try self.line() != "" {}
                return
            }
            try take(size, into: &response.body)
            guard try self.line() == "" else {
                throw ClientError.notHTTP("no line end after a chunk")
            }
        }
    }

    // MARK: Bytes

    /// Waits until that text has come, which stays to be read; false when the connection ends before.
    package func wait(for text: String) throws -> Bool {
        while !String(decoding: pending, as: UTF8.self).contains(text) {
            guard case .bytes = try more() else { return false }
        }
        return true
    }

    /// All bytes until the server closes; a reset throws.
    package func rest() throws -> [UInt8] {
        while true {
            switch try more() {
            case .bytes: continue
            case .end: return takeAll()
            case .reset: throw ClientError.truncated
            }
        }
    }

    /// All bytes until the connection ends in whatever way.
    package func everything() throws -> [UInt8] {
        while case .bytes = try more() {}
        return takeAll()
    }

    private func line() throws -> String {
        while true {
            if let end = pending.firstIndex(of: 10) {
                let bytes = received[consumed..<end]
                guard bytes.last == 13 else { throw ClientError.notHTTP("a bare line feed") }
                consumed = end + 1
                return String(decoding: bytes.dropLast(), as: UTF8.self)
            }
            guard case .bytes = try more() else { throw ClientError.truncated }
        }
    }

    private func take(_ count: Int, into body: inout [UInt8]) throws {
        var left = count
        while true {
            let part = pending.prefix(left)
            body += part
            consumed += part.count
            left -= part.count
            if left == 0 { return }
            guard case .bytes = try more() else { throw ClientError.truncated }
        }
    }

    private func takeAll() -> [UInt8] {
        defer { consumed = received.count }
        return Array(pending)
    }

    private func more() throws -> Arrival {
        let arrival = try receive()
        if case .reset = arrival { wasReset = true }
        guard case .bytes(let bytes) = arrival else { return arrival }
        if consumed == received.count {
            received = bytes
            consumed = 0
        } else {
            received += bytes
        }
        return arrival
    }
}
