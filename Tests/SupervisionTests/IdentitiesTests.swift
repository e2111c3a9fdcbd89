// Accounts of a configuration, and what a worker is handed.
// SPDX-License-Identifier: Apache-2.0

import Configuration
import Platform
import Testing

@testable import Supervision

struct IdentitiesTests {
    private func settings(_ top: String) throws -> Settings {
        try ConfigurationFile.load(
            text: "\(top)\nsites: [{ root: w }]", name: "site.yaml", folder: "/srv",
            builtInExtensionFolder: "/opt")
    }

    @Test func anUnknownAccountIsComplainedAboutAtItsPlace() throws {
        let text =
            "user: nobody-of-that-name\npools:\n  x: { command: [x], user: root, group: no-such-group }"
        let found = Identities(of: try settings(text), file: "site.yaml")
        #expect(
            found.complaints.map(\.description) == [
                "site.yaml:1:7: found the unknown user 'nobody-of-that-name', "
                    + "expected a user of this system",
                "site.yaml:3:41: found the unknown group 'no-such-group', "
                    + "expected a group of this system",
            ])
    }

    @Test func whoStartsTheServerNeedsNoChange() throws {
        let own = try settings("user: \(Identity.ownUser)\ngroup: \(Identity.ownGroup)")
        let found = Identities(of: own, file: "site.yaml")
        #expect(found.complaints.isEmpty)
        #expect(found.identity(of: own.account) == nil)
        #expect(!found.areOthers)
    }

    @Test(.enabled(if: Identity.ownUser == 0, "only root changes users"))
    func aUserBringsItsGroups() throws {
        let daemon = try settings("user: daemon")
        let found = Identities(of: daemon, file: "site.yaml")
        let identity = try #require(found.identity(of: daemon.account))
        let account = try #require(try Accounts.user("daemon"))
        #expect(identity.user == account.number)
        #expect(identity.group == account.group)
        #expect(identity.groups.contains(account.group))
        #expect(found.areOthers)
        let number = try settings("user: 54321")
        #expect(
            Identities(of: number, file: "f").complaints.map(\.found) == [
                "a number that is no user of this system"
            ])
        let both = try settings("user: 54321\ngroup: 54322")
        #expect(
            Identities(of: both, file: "f").identity(of: both.account)
                == Identity(user: 54321, group: 54322, groups: [54322]))
    }

    @Test func settingsReachAWorkerAsTheyAre() throws {
        let settings = [("A", "b=c"), ("EMPTY", ""), ("LINES", "1\n2"), ("ü", "ß")]
        let file = try WorkerSettings.file(
            settings.map { Settings.Setting(name: $0.0, value: $0.1) })
        let pairs = WorkerSettings.pairs(try Files.contents(of: file.number))
        #expect(pairs.map(\.name) == settings.map(\.0))
        #expect(pairs.map(\.value) == settings.map(\.1))
        #expect(WorkerSettings.pairs([]).isEmpty)
    }
}
