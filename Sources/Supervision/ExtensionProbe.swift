// Every extension of a configuration is loaded in a throw-away process before any other touches it.
// SPDX-License-Identifier: Apache-2.0

package import Configuration
import Control
package import Platform

/// The probes of one configuration's extensions; the same for `check`, `serve` and a reload.
package final class ExtensionProbe {
    private let extensions: [Settings.Extension]
    /// In the order of the extensions; nil where there is none.
    private let files: [String?]
    /// Has a result for each file that there is.
    package let run: ProbeRun
    private let copies: String?

    /// - Parameter copies: a folder for copies of the extensions, which processes load in their place.
    package init(
        _ settings: Settings, _ identities: Identities, program: String, copies: String? = nil
    ) throws(SystemError) {
        self.copies = copies
        extensions = settings.extensions
        files = extensions.map(\.existingFile)
        let found = zip(extensions, files).compactMap { entry, file in
            file.map { (path: $0, identity: entry.identity(settings, identities)) }
        }
        run = try ProbeRun(
            program: program, command: "probe", libraries: found, copies: copies)
    }

    /// One for each extension, when the run is done.
    package var verdicts: [ExtensionVerdict] {
        var results = run.results.makeIterator()
        return zip(extensions, files).map { entry, file in
            guard let file else { return entry.withoutFile }
            guard let result = results.next(), let result else {
                preconditionFailure("a probe without a result: the run is not done")
            }
            return entry.verdict(of: file, result, copies: copies)
        }
    }
}

extension Settings.Extension {
    /// The library's file; nil when there is none.
    var existingFile: String? {
        candidates.first { (try? Files.status(path: $0))?.kind == .regular }
    }

    /// The library's file; the name as written when there is none, for the dynamic linker to find.
    var file: String { existingFile ?? library }

    /// As whom it is tried: as those that will load it, as far as that is known.
    fileprivate func identity(_ settings: Settings, _ identities: Identities) -> Identity? {
        let account =
            threadSafe == true ? settings.account : settings.pools[pool].confinement.account
        return identities.identity(of: account)
    }

    fileprivate var withoutFile: ExtensionVerdict {
        let places = candidates.joined(separator: ", ")
        return ExtensionVerdict(
            home: .broken(
                "no such library; looked for \(places); correct 'library' or build it"),
            path: candidates.first ?? library)
    }

    /// The configuration decides; without it what the extension declares; without that it is isolated.
    fileprivate func verdict(
        of file: String, _ result: ProbeRun.Result, copies: String?
    ) -> ExtensionVerdict {
        if let problem = result.problem {
            return ExtensionVerdict(home: .broken(problem), path: file)
        }
        let isSafe = threadSafe ?? (result.answer == .declaresThreadSafe)
        let copy = copies.flatMap { folder in result.copy.map { "\(folder)/\($0)" } }
        return ExtensionVerdict(
            home: isSafe ? .inProcess : .isolated, path: file, copy: copy,
            version: result.copy ?? Self.version(of: file))
    }

    private static func version(of path: String) -> String {
        guard let status = try? Files.status(path: path) else { return "" }
        return "\(status.device)-\(status.inode)-\(status.size)-\(status.modified)"
            + ".\(status.modifiedNanoseconds)"
    }
}
