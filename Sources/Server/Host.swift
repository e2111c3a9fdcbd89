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
    /// - Parameters:
    ///   - controlDescriptor: The socket to the supervisor.
    ///   - builtInExtensionFolder: Where extensions are looked for last.
    package static func run(controlDescriptor: Int32, builtInExtensionFolder: String) -> Int32 {
        let link = SupervisorLink(MessageSocket(Descriptor(owning: controlDescriptor)))
        guard let start = HostStart.receive(from: link) else { return 0 }
        do throws(HostFailure) {
            let settings = try start.settings(builtInExtensionFolder: builtInExtensionFolder)
            let host = try RunningHost(settings, listeners: start.listeners, link: link)
            return host.run()
        } catch {
            link.send(.failed(reason: error.reason))
            ErrorLog.shared.log(.error, error.reason)
            return 1
        }
    }
}

/// Why a host cannot serve.
struct HostFailure: Error {
    let reason: String
}

/// What the supervisor's first message holds.
struct HostStart {
    let name: String
    let document: [UInt8]
    let listeners: [Int32]

    /// A host with this many descriptors in one message gets the rest in another.
    private static let batch = 60

    /// Waits for the first message: a spare host does so until it is needed. Nil: the supervisor is gone.
    static func receive(from link: SupervisorLink) -> HostStart? {
        var descriptors: [Int32] = []
        while true {
            guard let (message, received) = link.receive() else { return nil }
            guard case .start(let name) = message else { continue }
            descriptors += received
            if received.count == batch { continue }
            guard let file = descriptors.first else { return nil }
            let text = Descriptor(owning: file)
            guard let document = try? Files.contents(of: text.number) else { return nil }
            return HostStart(
                name: name, document: document, listeners: Array(descriptors.dropFirst()))
        }
    }

    /// The same settings the supervisor made of the same text, with what its probes have shown.
    func settings(builtInExtensionFolder: String) throws(HostFailure) -> Settings {
        let parts = document.split(separator: 0, maxSplits: 1, omittingEmptySubsequences: false)
        let folder = name.lastIndex(of: "/").map { String(name[..<$0]) } ?? ""
        do throws(ConfigurationErrors) {
            var settings = try ConfigurationFile.load(
                text: String(decoding: parts[0], as: UTF8.self), name: name,
                folder: folder.isEmpty ? "/" : folder,
                builtInExtensionFolder: builtInExtensionFolder)
            if parts.count > 1 {
                settings.apply(verdictText: String(decoding: parts[1], as: UTF8.self))
            }
            return settings
        } catch {
            throw HostFailure(reason: "\(error)")
        }
    }
}
