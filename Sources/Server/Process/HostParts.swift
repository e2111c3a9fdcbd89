// What a configuration needs in the host: extensions loaded, pools, scripts, sites with their handlers.
// SPDX-License-Identifier: Apache-2.0

import Configuration
import ExtensionHost
import Handlers
import Platform
import Synchronization

/// Builds the router from settings. What is broken answers 503; the rest of the site runs.
final class HostParts: Sendable {
    let pools: [WorkerPool]
    let scripts: ScriptTable
    let router: Router
    private let extensions: [LoadedExtension?]

    init(_ settings: Settings, link: SupervisorLink) {
        let log = ErrorLog.shared
        let pools = settings.pools.enumerated().map {
            WorkerPool(index: $0.offset, settings: $0.element, supply: link)
        }
        let scripts = ScriptTable(link: link)
        var loaded: [LoadedExtension?] = []
        let extensionHandlers = settings.extensions.map { entry in
            let home = Self.home(of: entry, settings, pools, log)
            loaded.append(home.library)
            return home.handler
        }
        let poolHandlers = settings.pools.enumerated().map { index, pool in
            FastCGIHandler(pool: pools[index], settings: pool, isWorker: false)
        }
        let sites = settings.sites.enumerated().map { index, site in
            let served = Self.serve(site, number: index + 1, log)
            let mappings = site.handlers.map { mapping in
                Self.route(
                    mapping, settings, extensionHandlers, poolHandlers, scripts)
            }
            return RoutedSite(site, served: served, mappings: mappings)
        }
        self.pools = pools
        self.scripts = scripts
        extensions = loaded
        router = Router(sites: sites, pools: pools)
    }

    /// The process leaves: no request is outstanding. An extension that takes more than 5 s is left.
    func terminateExtensions() {
        let isDone = Latch()
        try? Thread.start(named: "mortise exit") {
            Thread.sleep(milliseconds: 5000)
            if isDone.isFirst() {
                ErrorLog.shared.log(
                    .warning, "TerminateExtension did not return within 5 s; leaving without it")
                Exit.now(0)
            }
        }
        for library in extensions { library?.terminate() }
        _ = isDone.isFirst()
    }

    // MARK: Extensions

    private struct Home {
        var library: LoadedExtension?
        var handler: RoutedMapping.Handler
    }

    private static func home(
        of entry: Settings.Extension, _ settings: Settings, _ pools: [WorkerPool], _ log: ErrorLog
    ) -> Home {
        let values = entry.settings.map { (name: $0.name, value: $0.value) }
        switch entry.verdict?.home {
        case .inProcess:
            do throws(ExtensionError) {
                let library = try LoadedExtension.load(
                    path: entry.verdict?.path ?? entry.library, name: entry.name,
                    copies: RuntimeFolder.path)
                let handler = ExtensionHandler(library: library, settings: values)
                return Home(library: library, handler: .extension(handler))
            } catch {
                return broken(entry, "\(error)", log)
            }
        case .isolated, nil:
            let handler = FastCGIHandler(
                pool: pools[entry.pool], settings: settings.pools[entry.pool], isWorker: true,
                extensionSettings: values)
            return Home(handler: .pool(handler))
        case .broken(let reason):
            return broken(entry, reason, log)
        }
    }

    private static func broken(
        _ entry: Settings.Extension, _ reason: String, _ log: ErrorLog
    ) -> Home {
        log.log(
            .error, "extension \(entry.name) is disabled: \(reason)",
            handler: "extension \(entry.name)")
        return Home(handler: .unavailable(reason: reason, isLogged: Latch()))
    }

    // MARK: Sites

    private static func serve(
        _ site: Settings.Site, number: Int, _ log: ErrorLog
    ) -> ServedSite {
        var descriptor: Int32 = -1
        if let root = site.root {
            do throws(SystemError) {
                descriptor = try Files.open(root, [.pathOnly, .directory]).take()
            } catch {
                log.log(
                    .error, "the root \(root) cannot be opened: \(error); its files answer 404",
                    site: site.name)
            }
        }
        return ServedSite(
            name: site.name, number: number, documentRoot: Array((site.root ?? "").utf8),
            rootDescriptor: descriptor)
    }

    private static func route(
        _ mapping: Settings.Mapping, _ settings: Settings,
        _ extensions: [RoutedMapping.Handler], _ pools: [FastCGIHandler], _ scripts: ScriptTable
    ) -> RoutedMapping {
        switch mapping.target {
        case .extension(let index):
            let entry = settings.extensions[index]
            return RoutedMapping(
                mapping.pattern, extensions[index],
                scriptFilename: entry.verdict?.path ?? entry.library,
                name: "extension \(entry.name)")
        case .pool(let index):
            return RoutedMapping(
                mapping.pattern, .pool(pools[index]),
                name: "pool \(settings.pools[index].name)")
        case .cgi(let cgi):
            return RoutedMapping(
                mapping.pattern, .cgi(CGIHandler(cgi, starter: scripts)), name: "cgi")
        case .files:
            return RoutedMapping(mapping.pattern, .files, name: "files")
        case .redirect(let status, let location):
            return RoutedMapping(
                mapping.pattern, .redirect(status: status, location: Array(location.utf8)),
                name: "redirect")
        }
    }
}
