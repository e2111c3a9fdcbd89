// Versions of extensions: their copies, new files, and the way back.
// SPDX-License-Identifier: Apache-2.0

import Configuration
import Platform

extension SupervisorLoop {
    /// Seconds between two looks at files that are watched.
    static let watchInterval = 1.0

    // MARK: Copies

    /// Keeps the copies open that a configuration loads, so that what somebody removes can be put back.
    func keepCopies(of settings: Settings) {
        for copy in settings.extensions.compactMap({ $0.verdict?.copy }) where copies[copy] == nil {
            guard let file = try? Files.open(copy, .readOnly) else { continue }
            copies[copy] = SharedDescriptor(file)
        }
    }

    /// Removes those that no process loads any more, and no configuration.
    func sweepCopies() {
        guard probing == nil else { return }
        var used = Set(versions.kept(now: .now).compactMap(\.copy))
        let configurations =
            [settings.extensions] + [reload?.settings.extensions ?? []]
            + hosts.values.map(\.extensions) + livingPools.values.map(\.configuration.extensions)
        for extensions in configurations {
            used.formUnion(extensions.compactMap { $0.verdict?.copy })
        }
        for name in Files.names(in: folder.path) where name.hasPrefix(RuntimeFolder.copyPrefix) {
            let path = "\(folder.path)/\(name)"
            if !used.contains(path) { PrivateFolder.removeFile(path) }
        }
        copies = copies.filter { used.contains($0.key) }
    }

    /// Puts back what somebody has removed.
    func restoreCopies() {
        for (path, file) in copies where (try? Files.status(path: path)) == nil {
            do throws(SystemError) {
                let bytes = try Files.contents(of: file.descriptor.number, limit: 1 << 30)
                try Files.place(bytes, at: path)
            } catch {
                log.log(
                    .error,
                    "a copy of an extension was removed and cannot be put back: \(error); send SIGHUP"
                        + " when there is room in \(folder.path)")
            }
        }
    }

    // MARK: New files

    /// A file that has changed and stands still since the last look is tried like one of a new configuration.
    func checkFiles(_ now: Instant) {
        times[.checkFiles] = now.adding(seconds: Self.watchInterval)
        guard phase == .serving, !changeIsUnderWay else { return }
        var changed: [String] = []
        for entry in settings.extensions where entry.watch {
            guard let path = entry.verdict?.path else { continue }
            let signature = Self.signature(of: path)
            let last = lastLook.updateValue(signature, forKey: entry.name) ?? signature
            if signature == last, signature != tried[entry.name] { changed.append(entry.name) }
        }
        guard !changed.isEmpty else { return }
        do throws(SystemError) {
            let names = changed.joined(separator: ", ")
            try beginProbing(settings, text, .newFile("the new file of extension \(names)"))
        } catch {
            logShortage("new files of extensions cannot be tried: \(error)")
        }
    }

    /// An operator has released an extension: its file is tried as if it were new.
    func retry(_ name: String) {
        guard settings.extensions.contains(where: { $0.name == name }) else { return }
        guard phase == .serving, !changeIsUnderWay else { return wantReload() }
        do throws(SystemError) {
            try beginProbing(settings, text, .newFile("extension \(name), which was released,"))
        } catch {
            logShortage("extension \(name) cannot be tried: \(error)")
        }
    }

    /// These files are about to be tried.
    func noteFiles(of settings: Settings) {
        for entry in settings.extensions where entry.watch {
            let path = entry.candidates.first { (try? Files.status(path: $0))?.kind == .regular }
            tried[entry.name] = Self.signature(of: path ?? entry.library)
        }
    }

    private static func signature(of path: String) -> String {
        guard let status = try? Files.status(path: path) else { return "" }
        return "\(status.inode) \(status.size) \(status.modified).\(status.modifiedNanoseconds)"
    }

    // MARK: The way back

    /// A file that cannot be used never replaces one that can: its extension goes on as it is.
    func keepWorkingVersions(in new: inout Settings) {
        for (index, entry) in new.extensions.enumerated() {
            guard let verdict = entry.verdict,
                let before = settings.extensions.first(where: { $0.isSame(as: entry) })?.verdict,
                before.isUsable
            else { continue }
            let reason: String
            if case .broken(let problem) = verdict.home {
                reason = problem
            } else if before.version != verdict.version,
                let refusal = versions.refusal(of: entry.name, verdict.version)
            {
                reason = refusal
            } else {
                continue
            }
            new.apply(before, toExtension: index)
            log.log(
                .error, "its new file is not used: \(reason); the version from before goes on",
                handler: "extension \(entry.name)")
        }
    }

    /// After a fault: a version on trial gives way to the one before. What is done then, for the record.
    func takeBack(_ culprit: Settings.Extension, _ deed: String) -> String? {
        guard let index = settings.extensions.firstIndex(where: { $0.isSame(as: culprit) }),
            settings.extensions[index].verdict?.version == culprit.verdict?.version,
            let before = versions.takeBack(culprit, because: "it \(deed) at once", now: .now)
        else { return nil }
        rollbacks[culprit.name] = before
        beginRollback()
        return "its new file is taken back, the version from before goes on"
    }

    /// Once nothing else is under way.
    func beginRollback() {
        guard phase == .serving, !rollbacks.isEmpty, !changeIsUnderWay else { return }
        var old = settings
        for (index, entry) in settings.extensions.enumerated() {
            if let before = rollbacks[entry.name] { old.apply(before, toExtension: index) }
        }
        rollbacks = [:]
        do throws(ConfigurationFailure) {
            try prepare(text, old, isReplacement: true)
            reload?.what = "the version from before"
        } catch {
            for line in error.lines { log.log(.error, line) }
        }
    }
}
