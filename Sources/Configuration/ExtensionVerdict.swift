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

    /// Tells versions of the file apart, so that a reload replaces the workers of one that has changed.
    package var version: String

    package init(home: Home, path: String, version: String = "") {
        self.home = home
        self.path = path
        self.version = version
    }
}

extension Settings {
    /// The verdicts as text, a line for each extension; travels to the host behind the configuration.
    package var verdictText: String {
        extensions.map { entry in
            guard let verdict = entry.verdict else { return "unknown" }
            let path = Self.oneLine(verdict.path)
            switch verdict.home {
            case .inProcess: return "in-process\t\(path)"
            case .isolated: return "isolated\t\(path)"
            case .broken(let reason): return "broken\t\(path)\t\(Self.oneLine(reason))"
            }
        }.joined(separator: "\n")
    }

    /// Takes over what `verdictText` said of the same configuration.
    package mutating func apply(verdictText: String) {
        let lines = verdictText.split(separator: "\n", omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated() where index < extensions.count {
            let words = line.split(separator: "\t", omittingEmptySubsequences: false).map(
                String.init)
            guard words.count >= 2 else { continue }
            switch words[0] {
            case "in-process":
                extensions[index].verdict = ExtensionVerdict(home: .inProcess, path: words[1])
            case "isolated":
                extensions[index].verdict = ExtensionVerdict(home: .isolated, path: words[1])
            case "broken" where words.count > 2:
                extensions[index].verdict = ExtensionVerdict(
                    home: .broken(words[2]), path: words[1])
            default: continue
            }
        }
    }

    private static func oneLine(_ text: String) -> String {
        String(text.map { $0.isNewline || $0 == "\t" ? " " : $0 })
    }
}
