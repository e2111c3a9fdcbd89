// Which versions of extensions were good, and which were not.
// SPDX-License-Identifier: Apache-2.0

import Configuration
import Platform

/// The version before the one in force, for each extension, as a value: a new one that does not load, or that
/// costs a process as soon as it is called, gives way to it.
struct VersionHistory: Equatable {
    /// Seconds in which a new version is on trial.
    static let trial = 10.0

    private struct Entry: Equatable {
        var before: ExtensionVerdict
        var since: Instant
    }

    private var entries: [String: Entry] = [:]
    /// The versions that were taken back, by extension, with the reason.
    private var refused: [String: (version: String, reason: String)] = [:]

    static func == (one: VersionHistory, other: VersionHistory) -> Bool {
        one.entries == other.entries && one.refused.keys == other.refused.keys
    }

    /// The versions that may still be gone back to.
    func kept(now: Instant) -> [ExtensionVerdict] {
        entries.values.filter { now.seconds(since: $0.since) <= Self.trial }.map(\.before)
    }

    /// A configuration has come into force.
    mutating func changed(from old: Settings, to new: Settings, now: Instant) {
        for entry in new.extensions {
            guard let verdict = entry.verdict, verdict.isUsable,
                let before = old.extensions.first(where: { $0.isSame(as: entry) })?.verdict,
                before.isUsable, before.version != verdict.version
            else { continue }
            entries[entry.name] = Entry(before: before, since: now)
        }
    }

    /// What the extension goes back to after a fault of the version in force; nil: that one stays.
    mutating func takeBack(
        _ entry: Settings.Extension, because reason: String, now: Instant
    ) -> ExtensionVerdict? {
        guard let known = entries[entry.name], let version = entry.verdict?.version,
            version != known.before.version, now.seconds(since: known.since) <= Self.trial
        else { return nil }
        entries[entry.name] = nil
        refused[entry.name] = (version, reason)
        return known.before
    }

    /// Why that version is not tried again; nil: it may be.
    func refusal(of name: String, _ version: String) -> String? {
        guard let known = refused[name], known.version == version else { return nil }
        return known.reason
    }

    /// By hand.
    mutating func release(_ name: String) { refused[name] = nil }
}

extension ExtensionVerdict {
    var isUsable: Bool {
        if case .broken = home { false } else { true }
    }
}

extension Settings.Extension {
    /// Nothing about it differs but its file.
    func isSame(as other: Settings.Extension) -> Bool {
        name == other.name && library == other.library && directories == other.directories
            && settings == other.settings && threadSafe == other.threadSafe
    }
}
