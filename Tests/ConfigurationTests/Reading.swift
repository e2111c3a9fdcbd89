// How the tests read a configuration.
// SPDX-License-Identifier: Apache-2.0

@testable import Configuration

/// Reads a text as /srv/site.yaml of a program in /opt.
func read(_ text: String) throws(ConfigurationErrors) -> Settings {
    try ConfigurationFile.load(
        text: text, name: "site.yaml", folder: "/srv", builtInExtensionFolder: "/opt")
}

/// The complaints about a text, one line each; empty when there are none.
func complaints(about text: String) -> String {
    do {
        _ = try read(text)
        return ""
    } catch {
        return error.description
    }
}
