// A configuration as the supervisor takes it: the text, what it says, and whom it means.
// SPDX-License-Identifier: Apache-2.0

import Configuration
import Platform

/// Why a configuration cannot be used; each line says what to do.
struct ConfigurationFailure: Error, Equatable {
    var lines: [String]
}

/// What the file says, and what it means.
struct ReadConfiguration {
    let text: [UInt8]
    let settings: Settings
    let identities: Identities

    init(_ options: Supervisor.Options) throws(ConfigurationFailure) {
        let path = options.absolutePath
        let bytes: [UInt8]
        do throws(SystemError) {
            let file = try Files.open(path, .readOnly)
            bytes = try Files.contents(of: file.number)
        } catch {
            throw ConfigurationFailure(lines: ["configuration \(path) cannot be read: \(error)"])
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw ConfigurationFailure(lines: ["configuration \(path) is not UTF-8 text"])
        }
        do throws(ConfigurationErrors) {
            settings = try ConfigurationFile.load(
                text: text, name: options.configurationPath, folder: options.folder,
                builtInExtensionFolder: options.builtInExtensionFolder)
        } catch {
            throw ConfigurationFailure(lines: error.all.map(\.description))
        }
        self.text = bytes
        identities = Identities(of: settings, file: options.configurationPath)
        var problems = identities.complaints.map(\.description)
        if problems.isEmpty { problems = Self.missingPlaces(settings) }
        if Identity.ownUser == 0, settings.account.user == nil, !options.mayBeRoot {
            problems.append(
                "\(options.configurationPath): root starts this server, and nothing says as whom it"
                    + " serves: write 'user: www-data', or another account that may read the sites'"
                    + " files; 'user: root' if root is meant")
        }
        guard problems.isEmpty else { throw ConfigurationFailure(lines: problems) }
    }

    /// What a server cannot do without, and would miss only when the first large body comes or a line is
    /// to be written.
    private static func missingPlaces(_ settings: Settings) -> [String] {
        var problems: [String] = []
        let folder = settings.limits.temporaryFolder
        if (try? Files.status(path: folder))?.kind != .directory {
            problems.append(
                "limits.temporary-folder \(folder): no such folder; make it, or name another one")
        }
        if let path = settings.logs.error {
            do throws(SystemError) {
                _ = try Files.openLog(path)
            } catch {
                problems.append(
                    "the error log \(path) cannot be opened (\(error)); correct 'logs.error'")
            }
        }
        return problems
    }
}
