// What loading an extension in a throw-away process has shown.
// SPDX-License-Identifier: Apache-2.0

/// Where an extension can run. The supervisor finds out by a probe, once for each configuration, and
/// tells the host, which then loads only what is safe to load.
package struct ExtensionVerdict: Sendable, Equatable {
    package enum Home: Sendable, Equatable {
        /// Thread-safe: the host process.
        case inProcess
        /// Not thread-safe, or not declared so: a pool of workers.
        case isolated
        /// It does not load; why.
        case broken(String)
    }

    package var home: Home
    /// The file that was found; absolute.
    package var path: String
    /// The copy of it that has been tried, and that is loaded in its place; nil: the file itself is.
    package var copy: String?

    /// Tells versions of the file apart, so that a reload replaces the workers of one that has changed.
    package var version: String

    package init(home: Home, path: String, copy: String? = nil, version: String = "") {
        self.copy = copy
        self.home = home
        self.path = path
        self.version = version
    }
}

extension Settings {
    /// Notes what a probe has shown of an extension. Workers stand ready only for one that runs in them.
    package mutating func apply(_ verdict: ExtensionVerdict, toExtension index: Int) {
        guard extensions.indices.contains(index) else { return }
        extensions[index].verdict = verdict
        if verdict.home != .isolated { pools[extensions[index].pool].minimum = 0 }
    }
}
