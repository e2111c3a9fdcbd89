// What a mortise worker is told of a request.
// SPDX-License-Identifier: Apache-2.0

import Exchange

extension WorkerConnection {
    /// Encodes the head as it came, and of the variables those that the head does not tell.
    ///
    /// Every value is written where it belongs: the worker waits for these bytes, and so does the client.
    func encode(
        _ exchange: Exchange, _ params: inout FastCGIParams
    ) throws(FastCGIError) {
        let request = exchange.request
        try params.append("MORTISE_HEAD", to: &output) { bytes in
            request.bytes.withUnsafeBufferPointer { bytes.append(contentsOf: $0) }
            return true
        }
        for (name, variable) in Self.metaVariables {
            try params.append(name, to: &output) { exchange.append(variable, to: &$0) }
        }
        if !exchange.route.pathInfo.isEmpty {
            try params.append("PATH_INFO", to: &output) { exchange.append(.pathInfo, to: &$0) }
        }
        if request.hasBody || request.contentLength != nil {
            try params.append("CONTENT_LENGTH", to: &output) { bytes in
                bytes.append(decimal: UInt64(clamping: exchange.body.length))
                return true
            }
        }
        try params.append("HTTPS", to: &output) { bytes in
            guard exchange.append(.secure, to: &bytes) else { return false }
            bytes.append("on")
            return true
        }
        try encodeConstants(exchange, &params)
    }

    private static let metaVariables: [(name: StaticString, variable: MetaVariable)] = [
        ("REMOTE_ADDR", .remoteAddress), ("REMOTE_PORT", .remotePort),
        ("SERVER_ADDR", .localAddress), ("SERVER_PORT", .localPort), ("SCRIPT_NAME", .scriptName),
        ("SCRIPT_FILENAME", .scriptFilename),
    ]

    /// What is the same for all requests of a mapping. Last, so that a setting shadows nothing.
    private func encodeConstants(
        _ exchange: Exchange, _ params: inout FastCGIParams
    ) throws(FastCGIError) {
        let mapping = exchange.route.mapping.map { ObjectIdentifier($0) }
        if constantsOf != mapping || mapping == nil {
            constants = Self.constants(exchange)
            constantsOf = mapping
        }
        try constants.withUnsafeBufferPointer { (pairs) throws(FastCGIError) in
            try params.append(pairs: pairs.span, to: &output)
        }
    }

    private static func constants(_ exchange: Exchange) -> [UInt8] {
        var pairs: [UInt8] = []
        func append(_ name: String, _ variable: MetaVariable) {
            var value: [UInt8] = []
            guard exchange.append(variable, to: &value) else { return }
            FastCGI.appendPair(name.utf8.span, value.span, to: &pairs)
        }
        append("DOCUMENT_ROOT", .documentRoot)
        append("MORTISE_SITE_NAME", .siteName)
        append("MORTISE_SITE_NUMBER", .siteNumber)
        append("MORTISE_POOL", .poolName)
        var names: [UInt8] = []
        for (name, value) in exchange.route.settings {
            if !names.isEmpty { names.append(UInt8(ascii: ",")) }
            names.append(contentsOf: name.utf8)
            FastCGI.appendPair(name.utf8.span, value.utf8.span, to: &pairs)
        }
        if !names.isEmpty {
            FastCGI.appendPair("MORTISE_SETTINGS".utf8.span, names.span, to: &pairs)
        }
        return pairs
    }
}
