// Where a request has been routed.
// SPDX-License-Identifier: Apache-2.0

/// A site as handlers see it. Lives as long as the host.
package final class ServedSite: Sendable {
    package let name: String
    /// From 1, in the order of the configuration.
    package let number: Int
    /// Absolute, without a "/" at the end; empty when the site has no files.
    package let documentRoot: [UInt8]
    /// The root folder, kept open; -1 when the site has no files.
    package let rootDescriptor: Int32

    package init(name: String, number: Int, documentRoot: [UInt8], rootDescriptor: Int32) {
        self.name = name
        self.number = number
        self.documentRoot = documentRoot
        self.rootDescriptor = rootDescriptor
    }
}

/// What the router found out: the site, and which part of the path named the handler.
///
/// Its buffers are reused by the next request.
package struct Route: Sendable {
    package var site: ServedSite?
    /// Index into the site's mappings, or `Route.files`.
    package var mapping = Route.files
    /// What no mapping claims is a file.
    package static let files = -1
    /// The decoded path up to the handler: "/hello", "/app/index.php".
    package var scriptName: [UInt8] = []
    /// The rest: "" or "/more".
    package var pathInfo: [UInt8] = []
    /// The file that answers; absolute.
    package var scriptFilename: [UInt8] = []
    /// The pool's name when the call runs in a worker.
    package var poolName: String?
    /// The settings of the extension.
    package var settings: [(name: String, value: String)] = []
    /// For logs: "extension hello", "pool php".
    package var handlerName = ""
    /// Local redirects so far (RFC 3875 §6.2.2), at most 10.
    package var redirects = 0

    /// A worker ended before it took the request, and another one was asked.
    package var wasRetried = false

    package init() {}

    /// Forgets where the request went; keeps the memory.
    package mutating func forget() {
        site = nil
        mapping = Route.files
        scriptName.removeAll(keepingCapacity: true)
        pathInfo.removeAll(keepingCapacity: true)
        scriptFilename.removeAll(keepingCapacity: true)
        poolName = nil
        settings = []
        handlerName = ""
        redirects = 0
        wasRetried = false
    }
}
