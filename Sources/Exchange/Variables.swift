// Server variables as extensions ask for them, one at a time.
// SPDX-License-Identifier: Apache-2.0

/// What came of asking for a server variable.
package enum VariableResult: Equatable, Sendable {
    /// Its value, perhaps empty, was appended.
    case found
    /// There is no such variable, or no such request header (ERROR_INVALID_INDEX, 1413).
    case unknown
    /// The variable is known and does not apply here (ERROR_NO_DATA, 232).
    case unavailable
}

/// Server variables: of ISAPI's GetServerVariable, and the set of CGI (RFC 3875 §4.1) and FastCGI.
///
/// `PATH_INFO` is what CGI means by it: the path after the script's name alone.
package enum Variables {
    package static let software: StaticString = "Mortise/0.1"

    /// Appends the value of the variable `name`, upper and lower case alike. Allocates nothing when the
    /// buffer has room.
    ///
    /// `HTTP_X` is the request's field X with "_" read as "-"; `HEADER_X` is the field X as it is
    /// spelt. The extension's settings come last: they shadow nothing.
    package static func append(
        _ name: Span<UInt8>, request: Request, metaVariables: some MetaVariableSource,
        bodyLength: Int64,
        to bytes: inout [UInt8]
    ) -> VariableResult {
        if let known = known(name) {
            return append(
                known, request: request, metaVariables: metaVariables, bodyLength: bodyLength,
                to: &bytes)
        }
        if name.hasPrefix("HTTP_") {
            let field = name.extracting(5..<name.count)
            return appendField(field, .underscored, request, to: &bytes) ? .found : .unknown
        }
        if name.hasPrefix("HEADER_") {
            let field = name.extracting(7..<name.count)
            return appendField(field, .asSpelt, request, to: &bytes) ? .found : .unknown
        }
        return metaVariables.appendSetting(name, to: &bytes) ? .found : .unknown
    }

    /// A variable with a meaning of its own.
    enum Known: Sendable {
        case allFields, allRaw
        case poolName, applicationPath, applicationFolder
        case cacheURL, contentLength, contentType
        case documentRoot, gateway, secure, securePort
        case method, rawTarget, requestURI, version
        case instanceNumber, instanceName, instancePath
        case localAddress, localPort, remoteAddress, remotePort
        case path, pathInfo, pathTranslated, query
        case scriptFilename, scriptName, serverName, software
        /// Known, and empty: nobody has authenticated anybody, no certificate was sent.
        case empty
        case unavailable
    }

    private static func known(_ name: Span<UInt8>) -> Known? {
        for entry in table where name.matches(entry.name) { return entry.known }
        return nil
    }

    private static let table: [(name: StaticString, known: Known)] = [
        ("ALL_HTTP", .allFields), ("ALL_RAW", .allRaw),
        ("QUERY_STRING", .query), ("REQUEST_METHOD", .method), ("SCRIPT_NAME", .scriptName),
        ("PATH_INFO", .pathInfo), ("PATH_TRANSLATED", .pathTranslated), ("URL", .path),
        ("REMOTE_ADDR", .remoteAddress), ("REMOTE_HOST", .remoteAddress),
        ("REMOTE_PORT", .remotePort),
        ("SERVER_NAME", .serverName), ("SERVER_PORT", .localPort), ("SERVER_ADDR", .localAddress),
        ("SERVER_PORT_SECURE", .securePort), ("SERVER_PROTOCOL", .version),
        ("SERVER_SOFTWARE", .software), ("LOCAL_ADDR", .localAddress), ("HTTPS", .secure),
        ("CONTENT_LENGTH", .contentLength), ("CONTENT_TYPE", .contentType),
        ("HTTP_METHOD", .method), ("HTTP_URL", .rawTarget), ("HTTP_VERSION", .version),
        ("REQUEST_URI", .requestURI), ("UNENCODED_URL", .requestURI), ("CACHE_URL", .cacheURL),
        ("SCRIPT_FILENAME", .scriptFilename), ("REQUEST_FILENAME", .scriptFilename),
        ("SCRIPT_TRANSLATED", .scriptFilename), ("DOCUMENT_ROOT", .documentRoot),
        ("APPL_PHYSICAL_PATH", .applicationFolder), ("APPL_MD_PATH", .applicationPath),
        ("APP_POOL_ID", .poolName), ("APP_POOL_CONFIG", .unavailable),
        ("INSTANCE_ID", .instanceNumber), ("INSTANCE_NAME", .instanceName),
        ("INSTANCE_META_PATH", .instancePath), ("GATEWAY_INTERFACE", .gateway),
        ("AUTH_TYPE", .empty), ("AUTH_USER", .empty), ("AUTH_PASSWORD", .empty),
        ("REMOTE_USER", .empty), ("REMOTE_IDENT", .empty), ("LOGON_USER", .empty),
        ("UNMAPPED_REMOTE_USER", .empty),
        ("CERT_COOKIE", .empty), ("CERT_FLAGS", .empty), ("CERT_ISSUER", .empty),
        ("CERT_KEYSIZE", .empty), ("CERT_SECRETKEYSIZE", .empty), ("CERT_SERIALNUMBER", .empty),
        ("CERT_SERVER_ISSUER", .empty), ("CERT_SERVER_SUBJECT", .empty), ("CERT_SUBJECT", .empty),
        ("HTTPS_KEYSIZE", .empty), ("HTTPS_SECRETKEYSIZE", .empty), ("HTTPS_SERVER_ISSUER", .empty),
        ("HTTPS_SERVER_SUBJECT", .empty),
        ("CRYPT_CIPHER_ALG_ID", .unavailable), ("CRYPT_HASH_ALG_ID", .unavailable),
        ("CRYPT_KEYEXCHANGE_ALG_ID", .unavailable), ("CRYPT_PROTOCOL", .unavailable),
        ("FORWARDED_URL", .unavailable), ("MANAGED_PIPELINE_MODE", .unavailable),
        ("REQUEST_FLAGS", .unavailable),
    ]
}
