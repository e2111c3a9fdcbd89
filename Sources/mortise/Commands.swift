// What several commands begin with.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Configuration
import Platform
import Supervision

enum Commands {
    /// The configuration and its settings; complains and ends the command when there are none.
    static func load(
        _ source: () throws(ConfigurationText.Failure) -> ConfigurationText
    ) throws(ExitCode) -> (ConfigurationText, Settings) {
        let configuration: ConfigurationText
        do {
            configuration = try source()
        } catch {
            Terminal.complain(error.reason)
            throw error.isNoText ? .configuration : .failure
        }
        do {
            let settings = try ConfigurationFile.load(
                text: configuration.text, name: configuration.name,
                folder: configuration.folder,
                builtInExtensionFolder: try programFolder())
            return (configuration, settings)
        } catch let errors as ConfigurationErrors {
            Terminal.complain(errors.description)
            throw .configuration
        } catch {
            Terminal.complain("\(error)")
            throw .failure
        }
    }

    /// Where the extensions that are shipped with the program lie.
    static func programFolder() throws(SystemError) -> String {
        Folders.parent(of: try Files.realPath(Supervisor.ownProgram))
    }

    static func write(_ text: String, to file: Int32) throws(SystemError) {
        let bytes = Array(text.utf8)
        var failure: SystemError?
        bytes.withUnsafeBytes { bytes in
            do throws(SystemError) { try Files.writeAll(file, bytes) } catch { failure = error }
        }
        if let failure { throw failure }
    }
}
