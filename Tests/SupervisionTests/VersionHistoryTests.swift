// Versions of an extension, without a file.
// SPDX-License-Identifier: Apache-2.0

import Configuration
import Platform
import Testing

@testable import Supervision

struct VersionHistoryTests {
    private let start = Instant(nanoseconds: 1_000_000_000)

    private func settings(_ version: String, _ home: ExtensionVerdict.Home = .inProcess) -> Settings
    {
        var settings = Settings()
        var entry = Settings.Extension(
            name: "x", library: "/x.so", directories: [], threadSafe: nil, settings: [], pool: 0)
        entry.verdict = ExtensionVerdict(
            home: home, path: "/x.so", copy: "/run/\(version)", version: version)
        settings.extensions = [entry]
        return settings
    }

    @Test func aNewVersionThatFailsAtOnceGivesWayToTheOneBeforeAndIsNotTriedAgain() {
        var history = VersionHistory()
        history.changed(from: settings("1"), to: settings("2"), now: start)
        let later = start.adding(seconds: VersionHistory.trial)
        #expect(history.kept(now: later).map(\.version) == ["1"])
        let entry = settings("2").extensions[0]
        #expect(
            history.takeBack(entry, because: "it crashed at once", now: later)?.version == "1")
        #expect(history.refusal(of: "x", "2") == "it crashed at once")
        #expect(history.refusal(of: "x", "3") == nil)
        #expect(history.takeBack(entry, because: "again", now: later) == nil)
        history.release("x")
        #expect(history.refusal(of: "x", "2") == nil)
    }

    @Test func afterItsTrialAVersionStays() {
        var history = VersionHistory()
        history.changed(from: settings("1"), to: settings("2"), now: start)
        let later = start.adding(seconds: VersionHistory.trial + 0.1)
        let entry = settings("2").extensions[0]
        #expect(history.takeBack(entry, because: "it crashed", now: later) == nil)
        #expect(history.kept(now: later).isEmpty)
    }

    @Test func aVersionThatWasOfNoUseIsNeverGoneBackTo() {
        var history = VersionHistory()
        history.changed(from: settings("1", .broken("no")), to: settings("2"), now: start)
        let entry = settings("2").extensions[0]
        #expect(history.takeBack(entry, because: "it crashed", now: start) == nil)
    }

    @Test func theFirstVersionHasNoneBefore() {
        var history = VersionHistory()
        history.changed(from: Settings(), to: settings("1"), now: start)
        let entry = settings("1").extensions[0]
        #expect(history.takeBack(entry, because: "it crashed", now: start) == nil)
    }
}
