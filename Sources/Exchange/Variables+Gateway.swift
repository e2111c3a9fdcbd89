// The server variables a CGI script or a FastCGI program is given.
// SPDX-License-Identifier: Apache-2.0

extension Variables {
    /// Memory for one name and one value, reused from call to call.
    package struct Scratch: Sendable {
        var name: [UInt8] = []
        var value: [UInt8] = []
        package init() {
            name.reserveCapacity(64)
            value.reserveCapacity(512)
        }
    }

    /// Which request fields become `HTTP_*` variables.
    package enum Fields: Sendable { case all, none }

    /// Calls `body` with each variable of the gateway set (RFC 3875 §4.1 and custom), once.
    ///
    /// Of the request's fields only those become variables that cannot be mistaken: letters, digits and
    /// "-" in the name. Never: `Proxy`; the credentials of `Authorization`; what describes the framing,
    /// for the body is sent decoded. Allocates nothing when the scratch memory has room.
    package static func forEachGatewayVariable(
        request: Request, metaVariables: some MetaVariableSource, bodyLength: Int64,
        fields: Fields = .all,
        scratch: inout Scratch, _ body: (_ name: Span<UInt8>, _ value: Span<UInt8>) -> Void
    ) {
        for entry in gatewayTable {
            scratch.value.removeAll(keepingCapacity: true)
            let isPresent = appendGateway(
                entry.what, request: request, metaVariables: metaVariables, bodyLength: bodyLength,
                to: &scratch.value)
            guard isPresent else { continue }
            let name = UnsafeBufferPointer(
                start: entry.name.utf8Start, count: entry.name.utf8CodeUnitCount)
            body(name.span, scratch.value.span)
        }
        if fields == .all { forEachField(request, &scratch, body) }
    }

    package static func forEachGatewayVariable(
        request: Request, metaVariables: some MetaVariableSource, bodyLength: Int64,
        _ body: (_ name: Span<UInt8>, _ value: Span<UInt8>) -> Void
    ) {
        var scratch = Scratch()
        forEachGatewayVariable(
            request: request, metaVariables: metaVariables, bodyLength: bodyLength,
            scratch: &scratch, body)
    }

    private enum Gateway {
        case known(Known)
        /// Absent rather than empty.
        case optional(Known)
        case length, secure, scheme, redirectStatus
    }

    private static let gatewayTable: [(name: StaticString, what: Gateway)] = [
        ("GATEWAY_INTERFACE", .known(.gateway)), ("SERVER_SOFTWARE", .known(.software)),
        ("SERVER_PROTOCOL", .known(.version)), ("SERVER_NAME", .known(.serverName)),
        ("SERVER_ADDR", .optional(.localAddress)), ("SERVER_PORT", .known(.localPort)),
        ("REMOTE_ADDR", .known(.remoteAddress)), ("REMOTE_PORT", .optional(.remotePort)),
        ("REQUEST_METHOD", .known(.method)), ("REQUEST_URI", .known(.requestURI)),
        ("REQUEST_SCHEME", .scheme), ("HTTPS", .secure), ("QUERY_STRING", .known(.query)),
        ("SCRIPT_NAME", .known(.scriptName)), ("SCRIPT_FILENAME", .optional(.scriptFilename)),
        ("PATH_INFO", .optional(.pathInfo)), ("PATH_TRANSLATED", .optional(.pathTranslated)),
        ("DOCUMENT_ROOT", .optional(.documentRoot)), ("CONTENT_TYPE", .optional(.contentType)),
        ("CONTENT_LENGTH", .length),
        // php-cgi refuses to run without it when it was built to be safe.
        ("REDIRECT_STATUS", .redirectStatus),
    ]

    private static func appendGateway(
        _ what: Gateway, request: Request, metaVariables: some MetaVariableSource,
        bodyLength: Int64,
        to value: inout [UInt8]
    ) -> Bool {
        switch what {
        case .known(let known):
            _ = append(
                known, request: request, metaVariables: metaVariables, bodyLength: bodyLength,
                to: &value)
        case .optional(let known):
            let result = append(
                known, request: request, metaVariables: metaVariables, bodyLength: bodyLength,
                to: &value)
            return result == .found && !value.isEmpty
        case .length:
            // RFC 3875 §4.1.2: if and only if there is a body.
            guard bodyLength > 0 || request.contentLength != nil || request.isChunked else {
                return false
            }
            value.append(decimal: UInt64(clamping: bodyLength))
        case .secure:
            guard isSecure(metaVariables, &value) else { return false }
            value.append("on")
        case .scheme: value.append(isSecure(metaVariables, &value) ? "https" : "http")
        case .redirectStatus: value.append("200")
        }
        return true
    }

    private static func forEachField(
        _ request: Request, _ scratch: inout Scratch,
        _ body: (_ name: Span<UInt8>, _ value: Span<UInt8>) -> Void
    ) {
        let headBytes = request.bytes
        let head = headBytes.span
        if request.value(of: "Host") == nil, !request.authority.isEmpty {
            scratch.name.removeAll(keepingCapacity: true)
            scratch.name.append("HTTP_HOST")
            body(scratch.name.span, head.extracting(request.authority.range))
        }
        for index in request.fields.indices {
            let name = head.extracting(request.fields[index].name.range)
            guard isFirstVariable(index, request), !isWithheld(name) else { continue }
            scratch.name.removeAll(keepingCapacity: true)
            scratch.value.removeAll(keepingCapacity: true)
            appendVariableName(name, to: &scratch.name)
            appendJoined(index, request, to: &scratch.value)
            body(scratch.name.span, scratch.value.span)
        }
    }

    /// Fields that are other variables, that describe a framing which is gone, or that are credentials
    /// (RFC 3875 §4.1.18).
    private static func isWithheld(_ name: Span<UInt8>) -> Bool {
        switch name.count {
        case 12: name.matches("Content-Type")
        case 13: name.matches("Authorization")
        case 14: name.matches("Content-Length")
        case 17: name.matches("Transfer-Encoding")
        case 19: name.matches("Proxy-Authorization")
        default: false
        }
    }
}
