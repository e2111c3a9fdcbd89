// What a configuration needs in the host: extensions loaded, pools, scripts, sites with their handlers.
// SPDX-License-Identifier: Apache-2.0

import Configuration
import Control
import ExtensionHost
import Handlers
import Platform

/// Makes the handlers of a configuration. What is broken answers 503; the rest of the site runs.
struct HandlerTable: Sendable {
    let pools: [WorkerPool]
    let scripts: ScriptTable
    let extensions: [LoadedExtension]
    let router: Router
    /// Seconds for a call, by the index of the extension.
    let callLimits: [Double]
    /// Those inside the host, by the index of the extension.
    let handlers: [ExtensionHandler?]

    init(_ settings: Settings, link: SupervisorLink) {
        let pools = settings.pools.enumerated().map {
            WorkerPool(index: $0.offset, settings: $0.element, supply: link)
        }
        let scripts = ScriptTable(link: link)
        var loaded: [LoadedExtension] = []
        let programs = Programs(
            settings: settings,
            extensions: settings.extensions.indices.map {
                Self.load($0, settings, pools, link, &loaded)
            },
            pools: settings.pools.enumerated().map { index, pool in
                FastCGIHandler(pool: pools[index], settings: pool, isWorker: false)
            },
            scripts: scripts)
        let rules: [any Rule] = [MethodRule(), BodyLimitRule(limit: settings.limits.body)]
        let chain = RuleChain(rules)
        let sites = settings.sites.enumerated().map { index, site in
            Self.site(site, number: index + 1, chain, programs)
        }
        self.pools = pools
        handlers = programs.extensions.map { $0.handler as? ExtensionHandler }
        callLimits = settings.extensions.map { $0.callTimeout ?? settings.timeouts.request }
        self.scripts = scripts
        extensions = loaded
        router = Router(sites: sites, hosts: settings.sites.map(\.hosts))
    }

    /// What mappings lead to.
    private struct Programs {
        let settings: Settings
        let extensions: [Program]
        let pools: [FastCGIHandler]
        let scripts: ScriptTable
    }

    /// An extension in its home, or what says that it has none.
    private struct Program {
        var handler: any Handler
        var poolName: String?
        var settings: [(name: String, value: String)] = []
    }

    // MARK: Extensions

    private static func load(
        _ index: Int, _ settings: Settings, _ pools: [WorkerPool], _ link: SupervisorLink,
        _ loaded: inout [LoadedExtension]
    ) -> Program {
        let entry = settings.extensions[index]
        let values = entry.settings.map { (name: $0.name, value: $0.value) }
        switch entry.verdict?.home {
        case .inProcess:
            do throws(ExtensionError) {
                let library = try LoadedExtension.load(
                    path: entry.verdict?.path ?? entry.library, name: entry.name,
                    copy: entry.verdict?.copy, tag: UInt32(index + 1),
                    callLimit: entry.callTimeout ?? settings.timeouts.request
                ) { fault in
                    if let end = CallEnd(fault.end) {
                        link.send(.callFaulted(extension: index, end, request: fault.request))
                    }
                }
                loaded.append(library)
                for warning in library.warnings { ErrorLog.shared.log(.warning, warning) }
                let handler = ExtensionHandler(
                    library: library, settings: values,
                    concurrency: entry.concurrency ?? max(1, settings.threads.max / 2))
                return Program(
                    handler: handler,
                    settings: values)
            } catch {
                return broken(entry, "\(error)")
            }
        case .isolated, nil:
            return Program(
                handler: FastCGIHandler(
                    pool: pools[entry.pool], settings: settings.pools[entry.pool],
                    isWorker: true, extensionSettings: values),
                poolName: pools[entry.pool].name, settings: values)
        case .broken(let reason):
            return broken(entry, reason)
        }
    }

    private static func broken(_ entry: Settings.Extension, _ reason: String) -> Program {
        ErrorLog.shared.log(
            .error, "extension \(entry.name) is disabled: \(reason)",
            handler: "extension \(entry.name)")
        return Program(handler: UnavailableHandler(reason: reason))
    }

    // MARK: Sites

    private static func site(
        _ site: Settings.Site, number: Int, _ rules: RuleChain?, _ programs: Programs
    ) -> RoutedSite {
        let files = FilesHandler(rules: FileRules(site))
        return RoutedSite(
            served: serve(site, number: number), rules: rules,
            mappings: site.handlers.map { map($0, of: site, files, programs) },
            files: RoutedMapping(
                .prefix("/"), files, kind: .files, served: ServedMapping(name: "files")))
    }

    private static func serve(_ site: Settings.Site, number: Int) -> ServedSite {
        var descriptor: Int32 = -1
        if let root = site.root {
            do throws(SystemError) {
                descriptor = try Files.open(root, [.pathOnly, .directory]).take()
            } catch {
                ErrorLog.shared.log(
                    .error, "the root \(root) cannot be opened: \(error); its files answer 404",
                    site: site.name)
            }
        }
        return ServedSite(
            name: site.name, number: number, documentRoot: Array((site.root ?? "").utf8),
            rootDescriptor: descriptor)
    }

    /// One line of a site's handlers.
    private static func map(
        _ mapping: Settings.Mapping, of site: Settings.Site, _ files: FilesHandler,
        _ programs: Programs
    ) -> RoutedMapping {
        let settings = programs.settings
        let path = PathTable.Pattern(mapping.pattern).prefix
        switch mapping.target {
        case .extension(let index):
            let entry = settings.extensions[index]
            let program = programs.extensions[index]
            return RoutedMapping(
                mapping.pattern, program.handler,
                kind: .program,
                served: ServedMapping(
                    name: "extension \(entry.name)", poolName: program.poolName,
                    settings: program.settings, scriptName: path,
                    scriptFilename: Array((entry.verdict?.path ?? entry.library).utf8)),
                waitsForOthers: program.poolName != nil,
                preloadsBody: preloads(mapping, entry.name, program))
        case .pool(let index):
            let name = settings.pools[index].name
            return RoutedMapping(
                mapping.pattern, programs.pools[index], kind: .program,
                served: ServedMapping(
                    name: "pool \(name)", poolName: name, scriptName: path,
                    scriptFilename: Array((site.root ?? "").utf8) + path),
                waitsForOthers: true)
        case .cgi(let cgi):
            return RoutedMapping(
                mapping.pattern, CGIHandler(cgi, starter: programs.scripts), kind: .scripts,
                served: ServedMapping(name: "cgi"), waitsForOthers: true)
        case .files:
            return RoutedMapping(
                mapping.pattern, files, kind: .files, served: ServedMapping(name: "files"))
        case .redirect(let status, let location):
            return RoutedMapping(
                mapping.pattern, RedirectHandler(status: status, location: location),
                kind: .program, served: ServedMapping(name: "redirect", scriptName: path))
        }
    }

    private static func preloads(
        _ mapping: Settings.Mapping, _ name: String, _ program: Program
    ) -> Bool {
        guard mapping.preloadsBody, program.poolName != nil else { return mapping.preloadsBody }
        ErrorLog.shared.log(
            .warning,
            "request-body: preload in line \(mapping.line) has no effect: \(name) runs in worker"
                + " processes, which get the whole body; if it is thread-safe, say thread-safe: true",
            handler: "extension \(name)")
        return false
    }
}

extension CallEnd {
    fileprivate init?(_ end: GuardedCall.End) {
        switch end {
        case .returned: return nil
        case .threw: self = .threw
        case .wantedExit(let code): self = .wantedExit(code: code)
        case .wantedThreadExit: self = .wantedThreadExit
        }
    }
}
