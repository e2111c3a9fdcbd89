// The host process: reads its configuration from the supervisor, serves, and leaves when told.
// SPDX-License-Identifier: Apache-2.0

import Configuration
import Control
import Exchange
import ExtensionHost
import Handlers
import Platform

/// `mortise host`, the process that accepts, parses and answers. Started by the supervisor only.
package enum Host {
    /// Serves until the supervisor says stop or is gone; the exit code.
    ///
    /// - Parameter builtInExtensionFolder: Where extensions are looked for last.
    package static func run(builtInExtensionFolder: String) -> Int32 {
        Thread.nameCurrent("mortise-host")
        guard let link = try? SupervisorLink.inherited() else { return 1 }
        guard let start = link.waitForStart() else { return 0 }
        do throws(HostFailure) {
            let settings = try settings(of: start, builtInExtensionFolder)
            let host = try RunningHost(
                settings, listeners: start.listeners, health: start.health, link: link)
            return host.run()
        } catch {
            link.send(.failed(reason: error.reason))
            ErrorLog.shared.log(.error, error.reason)
            return 1
        }
    }

    /// The same settings the supervisor made of the same text, with what its probes have shown.
    private static func settings(
        of start: SupervisorLink.Start, _ builtInExtensionFolder: String
    ) throws(HostFailure) -> Settings {
        let name = start.configurationName
        let folder = name.lastIndex(of: "/").map { String(name[..<$0]) } ?? ""
        do throws(ConfigurationErrors) {
            var settings = try ConfigurationFile.load(
                text: start.text, name: name, folder: folder.isEmpty ? "/" : folder,
                builtInExtensionFolder: builtInExtensionFolder)
            for case .verdict(let index, let path, let isInProcess, let problem) in start.verdicts {
                let home: ExtensionVerdict.Home =
                    if let problem { .broken(problem) } else {
                        isInProcess ? .inProcess : .isolated
                    }
                settings.apply(ExtensionVerdict(home: home, path: path), toExtension: index)
            }
            return settings
        } catch {
            throw HostFailure(reason: "\(error)")
        }
    }
}

/// Why a host cannot serve.
struct HostFailure: Error {
    let reason: String
}
