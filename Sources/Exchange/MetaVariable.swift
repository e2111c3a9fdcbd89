// The meta-variables of RFC 3875 §4.1 that a head does not tell: the connection, the site, the mapping.
// SPDX-License-Identifier: Apache-2.0

/// One thing known about an exchange that its head does not say.
package enum MetaVariable: CaseIterable, Sendable {
    /// The client's address and port, as text.
    case remoteAddress, remotePort
    /// The address and port the client connected to, as text.
    case localAddress, localPort
    /// Present (empty) when the connection is encrypted.
    case secure
    /// The site's name and its number from 1, as text.
    case siteName, siteNumber
    /// The site's root folder, absolute, no "/" at the end.
    case documentRoot
    /// The part of the path that led to the handler, decoded: "/hello", "/app/index.php".
    case scriptName
    /// The rest of the path, decoded: "" or "/more".
    case pathInfo
    /// `pathInfo` below the document root; absent without a path info.
    case pathTranslated
    /// The file that answers: the script, or the extension's library. Absolute.
    case scriptFilename
    /// The name of the pool the call runs in; absent in the host process.
    case poolName
}

/// Who knows the meta-variables of one exchange: the host's connection, or the worker's parameters.
package protocol MetaVariableSource: AnyObject {
    /// Appends the variable's bytes; false when it does not apply to this exchange.
    func append(_ variable: MetaVariable, to bytes: inout [UInt8]) -> Bool
    /// Appends a setting of the configuration (`settings:` of the extension); false when there is none.
    func appendSetting(_ name: Span<UInt8>, to bytes: inout [UInt8]) -> Bool
    /// Calls `body` with each setting's name and value.
    func forEachSetting(_ body: (_ name: String, _ value: String) -> Void)
}
