// What a configuration needs of the world around it, and what is missing there.
// SPDX-License-Identifier: Apache-2.0

import Configuration
import Platform

/// Asks the file system for all that checked settings name.
struct Requirements {
    private let settings: Settings

    init(_ settings: Settings) { self.settings = settings }

    /// A sentence for each thing that is missing; empty when all is there.
    func missing() -> [String] {
        settings.sites.flatMap { ofSite($0) } + settings.pools.flatMap { ofPool($0) }
            + settings.extensions.compactMap { ofExtension($0) } + ofServer()
    }

    private func ofExtension(_ entry: Settings.Extension) -> String? {
        guard case .broken(let reason) = entry.verdict?.home else { return nil }
        return "extension \(entry.name): \(reason)"
    }

    private func ofServer() -> [String] {
        var problems: [String] = []
        for folder in settings.extensions.first?.directories ?? [] where !Folders.exists(folder) {
            problems.append("extension-directories \(folder): no such folder")
        }
        for case .unix(let path) in settings.listeners
        where !Folders.exists(Folders.parent(of: path)) {
            problems.append("listen unix:\(path): no such folder")
        }
        if !Folders.exists(settings.limits.temporaryFolder) {
            problems.append("temporary-folder \(settings.limits.temporaryFolder): no such folder")
        }
        let logs = [settings.logs.access, settings.logs.error].compactMap(\.self).filter {
            $0 != "-"
        }
        for log in logs {
            if Folders.exists(log) { problems.append("log \(log): it is a folder") }
            if !Folders.exists(Folders.parent(of: log)) {
                problems.append("log \(log): no such folder")
            }
        }
        return problems
    }

    private func ofSite(_ site: Settings.Site) -> [String] {
        var problems: [String] = []
        if let root = site.root, !Folders.exists(root) {
            problems.append("site \(site.name): root \(root): no such folder")
        }
        for mapping in site.handlers {
            guard case .cgi(let cgi) = mapping.target, let program = cgi.interpreter,
                ProgramSearch.find(program) == nil
            else { continue }
            problems.append(
                "line \(mapping.line): site \(site.name): interpreter \(program): no such program")
        }
        return problems
    }

    private func ofPool(_ pool: Settings.Pool) -> [String] {
        var problems: [String] = []
        if let folder = pool.folder, !Folders.exists(folder) {
            problems.append("pool \(pool.name): folder \(folder): no such folder")
        }
        if case .command(let words) = pool.program, let program = words.first,
            ProgramSearch.find(program, folder: pool.folder) == nil
        {
            let place = program.contains("/") ? "" : " on PATH"
            problems.append("pool \(pool.name): command \(program): no such program\(place)")
        }
        return problems
    }

}
