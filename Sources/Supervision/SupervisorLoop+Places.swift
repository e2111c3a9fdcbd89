// What the server needs in the file system, and finds removed: made anew.
// SPDX-License-Identifier: Apache-2.0

import Configuration
import Platform

extension SupervisorLoop {
    /// Seconds between two looks.
    static let placesInterval = 5.0

    func checkPlaces(_ now: Instant) {
        times[.checkPlaces] = now.adding(seconds: Self.placesInterval)
        remakeFolder()
        remakeListeners()
        restoreCopies()
        sweepCopies()
    }

    /// The workers' sockets are in it. Those that run are connected already, and go on.
    func remakeFolder() {
        guard !folder.isIntact else { return }
        let old = folder.path
        do throws(SystemError) {
            do throws(SystemError) {
                folder = try PrivateFolder(again: old, othersEnter: folder.othersEnter)
            } catch {
                folder = try RuntimeFolder.make(othersEnter: folder.othersEnter)
            }
            log.log(
                .warning, "somebody removed the runtime folder \(old); it is now \(folder.path)")
            openControlSocket()
            // In another folder the copies have other names: the configuration is read anew for them.
            if folder.path == old { restoreCopies() } else { wantReload() }
        } catch {
            logShortage(
                "somebody removed the runtime folder \(old), and it cannot be made anew: \(error)")
        }
    }

    /// Logs that hosts open themselves become their user's: root's they could not open.
    ///
    /// What cannot be given is opened all the same, or the host says why it cannot be.
    func giveLogs(of settings: Settings) {
        guard let identity = identities.identity(of: settings.account) else { return }
        for path in [settings.logs.access, settings.logs.error].compactMap(\.self)
        where path != "-" {
            try? Files.giveLog(path, to: identity)
        }
    }

    /// A Unix socket whose file is gone has to be a new one, and so has the host that listens on it.
    private func remakeListeners() {
        guard phase == .serving, !changeIsUnderWay else { return }
        var isChanged = false
        for (index, listener) in listeners.enumerated() where listener.hasVanished {
            do throws(StartFailure) {
                listeners[index] = try BoundListener(listener.setting, [])
                isChanged = true
                log.log(
                    .warning, "somebody removed \(listener.description); it is made anew")
            } catch {
                logShortage(error.reason)
            }
        }
        if isChanged { replaceHost() }
    }
}
