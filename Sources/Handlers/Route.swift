// Where a request has been routed.
// SPDX-License-Identifier: Apache-2.0

import Exchange

/// What the router found out: the site, and which part of the path named the handler.
///
/// Its buffers are reused by the next request.
package struct Route {
    // Not counted: every request would pay for it, and neither ever goes away.
    private var siteReference: Unmanaged<ServedSite>?
    private var mappingReference: Unmanaged<ServedMapping>?
    /// The decoded path up to the file it led to: "/app/index.php". Empty: the mapping knows.
    package var scriptName: [UInt8] = []
    /// The rest: "" or "/more".
    package var pathInfo: [UInt8] = []
    /// The file it led to; absolute. Empty: the mapping knows.
    package var scriptFilename: [UInt8] = []
    /// Local redirects so far (RFC 3875 §6.2.2), at most 10.
    package var redirects = 0
    /// Workers that could not be reached with this request.
    package var unreachedWorkers = 0

    package init() {}

    package var site: ServedSite? { siteReference?.takeUnretainedValue() }
    /// Nil: nothing was found yet.
    package var mapping: ServedMapping? { mappingReference?.takeUnretainedValue() }

    /// Neither is retained: they live as long as the host.
    package mutating func lead(to site: Unmanaged<ServedSite>) { siteReference = site }
    package mutating func lead(to mapping: Unmanaged<ServedMapping>) { mappingReference = mapping }

    /// Adds SCRIPT_NAME: the path up to the handler, such as "/hello".
    func appendScriptName(to bytes: inout [UInt8]) {
        guard scriptName.isEmpty else { return bytes.append(scriptName.span) }
        mappingReference?._withUnsafeGuaranteedRef { bytes.append(contentsOf: $0.scriptName) }
    }

    /// Adds SCRIPT_FILENAME: the file that answers.
    func appendScriptFilename(to bytes: inout [UInt8]) {
        guard scriptFilename.isEmpty else { return bytes.append(scriptFilename.span) }
        mappingReference?._withUnsafeGuaranteedRef { bytes.append(contentsOf: $0.scriptFilename) }
    }

    package var poolName: String? { mapping?.poolName }
    package var settings: [(name: String, value: String)] { mapping?.settings ?? [] }
    package var handlerName: String { mapping?.name ?? "" }

    /// Forgets where the request went; keeps the memory.
    package mutating func forget() {
        siteReference = nil
        mappingReference = nil
        if !scriptName.isEmpty { scriptName.removeAll(keepingCapacity: true) }
        if !pathInfo.isEmpty { pathInfo.removeAll(keepingCapacity: true) }
        if !scriptFilename.isEmpty { scriptFilename.removeAll(keepingCapacity: true) }
        redirects = 0
        unreachedWorkers = 0
    }
}
