// Where an extension can run, found out by a child of this program.
// SPDX-License-Identifier: Apache-2.0

import Configuration
import Platform

enum Probe {
    /// A library that takes longer to load than this is not going to.
    static let seconds = 30.0

    /// Looks for the extension's library and loads it in a process of its own.
    static func verdict(of entry: Settings.Extension) -> ExtensionVerdict {
        let files = entry.candidates
        guard let path = files.first(where: { (try? Files.status(path: $0)) != nil }) else {
            let places = files.joined(separator: ", ")
            let reason =
                "no such library; looked for \(places); correct 'library' or build it"
            return ExtensionVerdict(home: .broken(reason), path: files.first ?? entry.library)
        }
        return ExtensionVerdict(home: home(path, threadSafe: entry.threadSafe), path: path)
    }

    /// The configuration decides; without it what the extension declares; without that it is isolated.
    private static func home(_ path: String, threadSafe: Bool?) -> ExtensionVerdict.Home {
        do {
            let result = try OwnProgram.run(["probe", "--", path], seconds: seconds)
            if let problem = problem(result) { return .broken(problem) }
            let declares = result.end == .exited(code: ProbeCommand.Declaration.threadSafe.rawValue)
            return threadSafe ?? declares ? .inProcess : .isolated
        } catch {
            return .broken("\(error)")
        }
    }

    /// Why the extension cannot be used, as the end of its process tells; nil when it can.
    static func problem(_ result: OwnProgram.Result) -> String? {
        switch result.end {
        case .exited(let code) where ProbeCommand.Declaration(rawValue: code) != nil: nil
        case .exited(let code):
            result.lines.last ?? "loading it ended the process with code \(code)"
        case .killed(let signal): "loading it crashed the process with signal \(signal)"
        case nil: "loading it took longer than \(Int(seconds)) seconds"
        }
    }
}
