// Where each server variable's value comes from.
// SPDX-License-Identifier: Apache-2.0

extension Variables {
    static func append(
        _ known: Known, request: Request, metaVariables: some MetaVariableSource, bodyLength: Int64,
        to bytes: inout [UInt8]
    ) -> VariableResult {
        switch known {
        case .allFields: appendAllFields(request, to: &bytes)
        case .allRaw: appendAllRaw(request, to: &bytes)
        case .poolName: _ = metaVariables.append(.poolName, to: &bytes)
        case .applicationPath:
            appendInstancePath(metaVariables, to: &bytes)
            bytes.append("/ROOT")
        case .applicationFolder:
            guard metaVariables.append(.documentRoot, to: &bytes) else { return .unavailable }
            bytes.append("/")
        case .cacheURL: appendURL(request, metaVariables, to: &bytes)
        case .contentLength:
            guard bodyLength >= 0 else { return .unavailable }
            bytes.append(decimal: UInt64(bodyLength))
        case .contentType:
            if let type = request.value(of: "Content-Type") {
                request.append(type, to: &bytes)
            }
        case .documentRoot: return appendMetaVariable(.documentRoot, metaVariables, to: &bytes)
        case .gateway: bytes.append("CGI/1.1")
        case .secure: bytes.append(isSecure(metaVariables, &bytes) ? "on" : "off")
        case .securePort: bytes.append(isSecure(metaVariables, &bytes) ? "1" : "0")
        case .method: request.append(request.methodName, to: &bytes)
        case .rawTarget: request.append(request.target, to: &bytes)
        case .requestURI: appendURI(request, to: &bytes)
        case .version: appendVersion(request, to: &bytes)
        case .instanceNumber: return appendMetaVariable(.siteNumber, metaVariables, to: &bytes)
        case .instanceName: return appendMetaVariable(.siteName, metaVariables, to: &bytes)
        case .instancePath: appendInstancePath(metaVariables, to: &bytes)
        case .localAddress: return appendMetaVariable(.localAddress, metaVariables, to: &bytes)
        case .localPort: return appendMetaVariable(.localPort, metaVariables, to: &bytes)
        case .remoteAddress: return appendMetaVariable(.remoteAddress, metaVariables, to: &bytes)
        case .remotePort: return appendMetaVariable(.remotePort, metaVariables, to: &bytes)
        case .path: bytes.append(contentsOf: request.path)
        case .pathInfo: _ = metaVariables.append(.pathInfo, to: &bytes)
        case .pathTranslated: _ = metaVariables.append(.pathTranslated, to: &bytes)
        case .query: request.append(request.query, to: &bytes)
        case .scriptFilename: return appendMetaVariable(.scriptFilename, metaVariables, to: &bytes)
        case .scriptName: _ = metaVariables.append(.scriptName, to: &bytes)
        case .serverName: appendServerName(request, metaVariables, to: &bytes)
        case .software: bytes.append(software)
        case .empty: break
        case .unavailable: return .unavailable
        }
        return .found
    }

    private static func appendMetaVariable(
        _ variable: MetaVariable, _ metaVariables: some MetaVariableSource, to bytes: inout [UInt8]
    ) -> VariableResult {
        metaVariables.append(variable, to: &bytes) ? .found : .unavailable
    }

    static func isSecure(_ metaVariables: some MetaVariableSource, _ bytes: inout [UInt8]) -> Bool {
        let count = bytes.count
        let isSecure = metaVariables.append(.secure, to: &bytes)
        if bytes.count > count { bytes.removeLast(bytes.count - count) }
        return isSecure
    }

    static func appendVersion(_ request: Request, to bytes: inout [UInt8]) {
        bytes.append("HTTP/1.")
        bytes.append(decimal: UInt64(request.minorVersion))
    }

    /// The path as sent and the query: the request target without an authority.
    static func appendURI(_ request: Request, to bytes: inout [UInt8]) {
        if request.rawPath.isEmpty {
            bytes.append("/")
        } else {
            request.append(request.rawPath, to: &bytes)
        }
        guard request.hasQuery else { return }
        bytes.append("?")
        request.append(request.query, to: &bytes)
    }

    /// The host the request names, else the address it came to (RFC 3875 §4.1.14).
    static func appendServerName(
        _ request: Request, _ metaVariables: some MetaVariableSource, to bytes: inout [UInt8]
    ) {
        guard request.host.isEmpty else { return request.append(request.host, to: &bytes) }
        let start = bytes.count
        guard metaVariables.append(.localAddress, to: &bytes) else { return }
        // An IPv6 address stands in brackets where a host name may stand.
        var isIPv6 = false
        for index in start..<bytes.count where bytes[index] == UInt8(ascii: ":") { isIPv6 = true }
        guard isIPv6, bytes[bytes.count - 1] != UInt8(ascii: ":") else { return }
        bytes.insert(UInt8(ascii: "["), at: start)
        bytes.append("]")
    }

    private static func appendInstancePath(
        _ metaVariables: some MetaVariableSource, to bytes: inout [UInt8]
    ) {
        bytes.append("/LM/W3SVC/")
        if !metaVariables.append(.siteNumber, to: &bytes) { bytes.append("1") }
    }

    private static func appendURL(
        _ request: Request, _ metaVariables: some MetaVariableSource, to bytes: inout [UInt8]
    ) {
        bytes.append(isSecure(metaVariables, &bytes) ? "https://" : "http://")
        appendServerName(request, metaVariables, to: &bytes)
        bytes.append(":")
        _ = metaVariables.append(.localPort, to: &bytes)
        appendURI(request, to: &bytes)
    }
}
