// What `mortise inspect FILE.so` says of an extension.
// SPDX-License-Identifier: Apache-2.0

import Platform

/// A look at one extension: what it says of itself, what it needs, and what the server would do with it.
///
/// The extension's code runs in this: in a process that may die of it.
package struct Inspection: Sendable, CustomStringConvertible {
    private let path: String
    private let needed: [String]
    private let loaded: LoadedExtension

    package init(path: String) throws(ExtensionError) {
        let name = String(path.split(separator: "/").last ?? "")
        self.path = path
        needed = try LoadFailure(name: name, path: path).readFile().needed
        loaded = try LoadedExtension.load(path: path, name: name)
    }

    /// Calls TerminateExtension, whatever that may do to this process.
    package func terminate() { loaded.terminate() }

    package var description: String {
        """
        file:          \(path)
        description:   \(printable(loaded.description))
        version:       \(loaded.version >> 16).\(loaded.version & 0xffff)
        entry points:  \(entryPoints.joined(separator: ", "))
        thread-safe:   \(threadSafety)
        needs:         \(needed.isEmpty ? "no library" : needed.map(printable).joined(separator: ", "))
        Mortise would: \(consequence)
        """
    }

    private var entryPoints: [String] {
        ["GetExtensionVersion", "HttpExtensionProc"]
            + (loaded.hasTerminate ? ["TerminateExtension"] : [])
            + (loaded.declaredThreadSafe == nil ? [] : ["GetExtensionThreadSafety"])
    }

    private var threadSafety: String {
        switch loaded.declaredThreadSafe {
        case true?: "yes, it says so itself"
        case false?: "no, it says so itself"
        case nil: "not declared, which counts as no"
        }
    }

    private var consequence: String {
        loaded.declaredThreadSafe == true
            ? "call it in the server's process, on many threads at once (thread-safe: false isolates it)"
            : "run it in worker processes, one request at a time in each (thread-safe: true calls it "
                + "in the server's process)"
    }

    /// A file may contain anything; a terminal gets no control characters from it.
    private func printable(_ text: String) -> String {
        String(
            String.UnicodeScalarView(
                text.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7f ? "?" : $0 }))
    }
}
