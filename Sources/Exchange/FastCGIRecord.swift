// FastCGI records: what both ends of a connection say in every header.
// SPDX-License-Identifier: Apache-2.0

/// The numbers of the FastCGI 1.0 specification.
package enum FastCGI {
    /// Bytes of a record's header (FastCGI §3.3).
    package static let headerLength = 8
    /// The most content of one record. php-cgi refuses more than this together with the padding.
    package static let largestContent = 65535

    /// What a record is (FastCGI §8). Other numbers are unknown types.
    package enum Kind: UInt8, Sendable {
        case beginRequest = 1
        case abortRequest, endRequest, params, stdin, stdout, stderr, data
        case getValues, getValuesResult, unknownType
        /// Private, from a mortise worker that was sent MORTISE_HEAD: what the access log shall say.
        case accessLog = 64
    }

    package enum Role: UInt16, Sendable { case responder = 1, authorizer, filter }

    /// How an application server saw a request end (FastCGI §5.5).
    package enum ProtocolStatus: UInt8, Sendable {
        case requestComplete = 0
        case cannotMultiplex, overloaded, unknownRole
    }

    /// FCGI_KEEP_CONN of FCGI_BEGIN_REQUEST.
    package static let keepConnection: UInt8 = 1
}

/// What a peer did wrong in FastCGI.
package enum FastCGIError: Error, Equatable, Sendable {
    /// The header's version is not 1, or its reserved byte is not 0.
    case malformedHeader
    /// A name-value pair's lengths point beyond the bytes there are.
    case malformedPair
    /// The content of FCGI_BEGIN_REQUEST or FCGI_END_REQUEST has not its eight bytes.
    case malformedContent
    /// A name-value pair does not fit one record.
    case pairTooLarge
}

/// A record's header (FastCGI §3.3).
package struct FastCGIHeader: Equatable, Sendable {
    /// The type as sent; `kind` when it is a known one.
    package var type: UInt8
    /// 0: a management record.
    package var requestID: UInt16
    package var contentLength: Int
    package var paddingLength: Int

    package var kind: FastCGI.Kind? { FastCGI.Kind(rawValue: type) }

    package init(type: UInt8, requestID: UInt16, contentLength: Int, paddingLength: Int) {
        self.type = type
        self.requestID = requestID
        self.contentLength = contentLength
        self.paddingLength = paddingLength
    }

    /// Reads the eight bytes from `start`.
    init(_ bytes: Span<UInt8>, at start: Int) throws(FastCGIError) {
        guard bytes[start] == 1, bytes[start + 7] == 0 else { throw .malformedHeader }
        type = bytes[start + 1]
        requestID = UInt16(bytes[start + 2]) << 8 | UInt16(bytes[start + 3])
        contentLength = Int(bytes[start + 4]) << 8 | Int(bytes[start + 5])
        paddingLength = Int(bytes[start + 6])
    }

    /// Reads eight bytes.
    init(_ bytes: InlineArray<8, UInt8>) throws(FastCGIError) {
        guard bytes[0] == 1, bytes[7] == 0 else { throw .malformedHeader }
        type = bytes[1]
        requestID = UInt16(bytes[2]) << 8 | UInt16(bytes[3])
        contentLength = Int(bytes[4]) << 8 | Int(bytes[5])
        paddingLength = Int(bytes[6])
    }
}

/// The content of FCGI_BEGIN_REQUEST (FastCGI §5.1).
package struct FastCGIBegin: Equatable, Sendable {
    /// As sent; a role that is none of `FastCGI.Role` is answered with UNKNOWN_ROLE.
    package var role: UInt16
    package var keepsConnection: Bool

    package init(_ content: Span<UInt8>) throws(FastCGIError) {
        guard content.count == 8 else { throw .malformedContent }
        role = UInt16(content[0]) << 8 | UInt16(content[1])
        keepsConnection = content[2] & FastCGI.keepConnection != 0
    }
}

/// The content of FCGI_END_REQUEST (FastCGI §5.5).
package struct FastCGIEnd: Equatable, Sendable {
    package var applicationStatus: UInt32
    /// Nil: a status the specification does not know.
    package var protocolStatus: FastCGI.ProtocolStatus?

    package init(_ content: Span<UInt8>) throws(FastCGIError) {
        guard content.count == 8 else { throw .malformedContent }
        applicationStatus =
            UInt32(content[0]) << 24 | UInt32(content[1]) << 16 | UInt32(content[2]) << 8
            | UInt32(content[3])
        protocolStatus = FastCGI.ProtocolStatus(rawValue: content[4])
    }
}
