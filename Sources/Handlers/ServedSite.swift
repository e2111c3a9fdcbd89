// A site as handlers see it.
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
    let scripts = FoundScripts()

    package init(name: String, number: Int, documentRoot: [UInt8], rootDescriptor: Int32) {
        self.name = name
        self.number = number
        self.documentRoot = documentRoot
        self.rootDescriptor = rootDescriptor
    }
}
