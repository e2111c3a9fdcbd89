// The parent of all processes: owns listeners and children, parses no HTTP, loads no extension.
// SPDX-License-Identifier: Apache-2.0

import Configuration
package import Platform

/// `mortise serve`: starts the host and the workers, and keeps them running until it is told to stop.
package enum Supervisor {
    /// The file this process runs, even after another one took its name (man 5 proc).
    package static let ownProgram = "/proc/self/exe"

    package struct Options {
        /// The configuration file as the operator named it; read again at every reload.
        package let configurationPath: String
        /// The same file from the root; hosts get it as the configuration's name and take relative paths
        /// from its folder.
        package let absolutePath: String
        /// Where extensions are looked for last: the program's own folder.
        package let builtInExtensionFolder: String
        /// The program to execute for hosts and workers: this one.
        package var programPath = Supervisor.ownProgram
        /// What a host is started with, its program's name first. It finds its control socket at
        /// descriptor 3.
        package var hostArguments = ["mortise", "host"]
        /// Who started this process, and what for.
        package var manager = ServiceManager()
        /// Root may serve although the configuration does not say so.
        package var mayBeRoot = false
        package init(configurationPath: String, builtInExtensionFolder: String) {
            self.configurationPath = configurationPath
            self.builtInExtensionFolder = builtInExtensionFolder
            // A folder that does not exist is complained about when the file is read.
            absolutePath =
                (try? Files.absolutePath(configurationPath)) ?? configurationPath
        }

        var folder: String {
            String(absolutePath[..<(absolutePath.lastIndex(of: "/") ?? absolutePath.startIndex)])
        }
    }

    /// Serves until SIGTERM or SIGINT (0), or until it is clear that it cannot start: 1 = the system or a
    /// program is to blame, 2 = the configuration.
    ///
    /// SIGHUP reads the configuration anew and keeps the old one when the new one does not work; SIGUSR1
    /// opens the log files anew. Must run on the process's only thread.
    package static func run(_ options: Options) -> Int32 {
        let log = ErrorLog.shared
        log.open(path: nil, process: "supervisor")
        let configuration: ReadConfiguration
        do throws(ConfigurationFailure) {
            configuration = try ReadConfiguration(options)
        } catch {
            for line in error.lines { log.log(.error, line) }
            return 2
        }
        if let path = configuration.settings.logs.error {
            log.open(path: path, process: "supervisor")
        }
        raiseOpenFiles(log)
        do throws(StartFailure) {
            let loop = try SupervisorLoop(options, configuration)
            return loop.run()
        } catch {
            log.logAloud(.error, error.reason)
            return 1
        }
    }

    /// Hosts hold a descriptor for each connection; the usual soft limit is 1024.
    private static func raiseOpenFiles(_ log: ErrorLog) {
        do throws(SystemError) {
            try Limits.raiseOpenFiles()
        } catch {
            log.log(.warning, "the limit on open files stays \(Limits.openFiles): \(error)")
        }
    }
}

/// Why the server cannot start.
struct StartFailure: Error, Equatable {
    var reason: String
}
