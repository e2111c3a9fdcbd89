// Any text as a configuration: settings or complaints, never a crash.
// SPDX-License-Identifier: Apache-2.0

import Configuration

@c(LLVMFuzzerTestOneInput)
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let text = String(decoding: UnsafeBufferPointer(start: start, count: count), as: UTF8.self)
    do {
        let settings = try ConfigurationFile.load(
            text: text, name: "site.yaml", folder: "/srv", builtInExtensionFolder: "/opt")
        precondition(!settings.sites.isEmpty, "a configuration without a site was accepted")
        for site in settings.sites {
            for mapping in site.handlers {
                switch mapping.target {
                case .extension(let index):
                    precondition(settings.extensions.indices.contains(index))
                case .pool(let index): precondition(settings.pools.indices.contains(index))
                case .cgi, .files, .redirect: break
                }
            }
        }
        for entry in settings.extensions {
            precondition(settings.pools.indices.contains(entry.pool))
        }
    } catch {
        precondition(!error.description.isEmpty)
    }
    return 0
}
