// A response as HTTP/1 puts it on the wire (RFC 9112 §4 to §7).
// SPDX-License-Identifier: Apache-2.0

/// Appends the parts of a response to bytes; allocates nothing when they have room.
package enum HTTP1Encoding {
    /// What the head says of the connection.
    package enum Connection: Sendable {
        /// Nothing: HTTP/1.1 keeps it.
        case kept
        /// "keep-alive", which an HTTP/1.0 client has to be told.
        case keptAndSaid
        case closed
    }

    /// "HTTP/1.1 200 OK" with the Date and Server of the second, made once for the heads of that second:
    /// nearly all begin so.
    package static func commonStart(date: [UInt8], to output: inout [UInt8]) {
        output.append("HTTP/1.1 200 OK\r\nDate: ")
        output.append(date.span)
        output.append("\r\nServer: Mortise\r\n")
    }

    /// Status line, Date, Server, the handler's fields, and what follows from the framing.
    package static func appendHead(
        _ head: borrowing ResponseHead, _ form: ResponseFraming.Form, _ connection: Connection,
        date: Span<UInt8>, commonStart: Span<UInt8>, to output: inout [UInt8]
    ) {
        if head.status == 200, head.reason.isEmpty || head.isReasonOK, !head.hasDate,
            !head.hasServer
        {
            output.append(commonStart)
        } else {
            appendStart(head, date: date, to: &output)
        }
        output.append(head.block.span)
        if form == .chunked {
            guard connection != .kept else {
                return output.append("Transfer-Encoding: chunked\r\n\r\n")
            }
            output.append("Transfer-Encoding: chunked\r\n")
        } else if let length = head.contentLength, head.status != 204 {
            output.append("Content-Length: ")
            output.append(decimal: UInt64(clamping: length))
            guard connection != .kept else { return output.append("\r\n\r\n") }
            output.append("\r\n")
        }
        switch connection {
        case .kept: output.append("\r\n")
        case .keptAndSaid: output.append("Connection: keep-alive\r\n\r\n")
        case .closed: output.append("Connection: close\r\n\r\n")
        }
    }

    private static func appendStart(
        _ head: borrowing ResponseHead, date: Span<UInt8>, to output: inout [UInt8]
    ) {
        appendStatusLine(head, to: &output)
        if !head.hasDate {
            output.append("Date: ")
            output.append(date)
            output.append(head.hasServer ? "\r\n" : "\r\nServer: Mortise\r\n")
        } else if !head.hasServer {
            output.append("Server: Mortise\r\n")
        }
    }

    private static func appendStatusLine(
        _ head: borrowing ResponseHead, to output: inout [UInt8]
    ) {
        if head.status == 200 && (head.reason.isEmpty || head.isReasonOK) {
            return output.append("HTTP/1.1 200 OK\r\n")
        }
        output.append("HTTP/1.1 ")
        output.append(decimal: UInt64(clamping: head.status))
        output.append(UInt8(ascii: " "))
        if head.reason.isEmpty {
            output.append(reasonPhrase(head.status))
        } else {
            output.append(head.reason.span)
        }
        output.append("\r\n")
    }

    /// The line before a chunk of so many bytes (RFC 9112 §7.1).
    package static func appendChunkSize(_ count: Int, to output: inout [UInt8]) {
        var shift = 60
        while shift > 0 && (count >> shift) & 15 == 0 { shift -= 4 }
        while shift >= 0 {
            let digit = UInt8((count >> shift) & 15)
            output.append(digit < 10 ? 0x30 + digit : 0x61 + digit - 10)
            shift -= 4
        }
        output.append("\r\n")
    }

    package static func appendLastChunk(to output: inout [UInt8]) { output.append("0\r\n\r\n") }
}
