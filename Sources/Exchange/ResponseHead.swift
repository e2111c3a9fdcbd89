// A response head from an extension, a CGI script or a FastCGI program, checked and in one form.
// SPDX-License-Identifier: Apache-2.0

/// What the head of a response says: status, checked field lines, and what the framing needs to know.
///
/// The memory is meant to be reused: `reset()` keeps it.
package struct ResponseHead: Sendable {
    package var status: Int = 200
    /// The phrase after the status; empty = the standard one.
    package var reason: [UInt8] = []
    /// Checked field lines, each "Name: value\r\n". Without Status, Content-Length, Transfer-Encoding,
    /// Connection and other hop-by-hop fields, whose meaning stands in the properties below.
    package var block: [UInt8] = []
    /// The body's length as its sender declared it.
    package var contentLength: Int64?
    /// The sender encodes the body in chunks itself (extensions only: it is decoded and framed anew).
    package var isChunked = false
    /// The sender wants the connection closed after this response.
    package var closesConnection = false
    package var hasContentType = false
    package var hasDate = false
    package var hasServer = false
    /// The value of Location, as sent; empty = none.
    package var location: [UInt8] = []
    /// True when a Status field or an HTTP status line was seen.
    package var hasStatus = false

    package init() {}

    /// The phrase is "OK".
    package var isReasonOK: Bool {
        reason.count == 2 && reason[0] == UInt8(ascii: "O") && reason[1] == UInt8(ascii: "K")
    }
}
