// Accounts and limits of processes, as the file says them.
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Configuration

struct ConfinementTests {
    private func pool(_ keys: String, top: String = "") throws -> Settings.Pool {
        let text = "\(top)\npools: { x: { command: [x]\(keys) } }\nsites: [{ root: w }]"
        return try #require(try read(text).pools.first)
    }

    @Test func everyKeyOfAConfinementIsTaken() throws {
        let limits =
            "limits: { open-files: 64, processes: 9, file-size: 1MiB, cpu-time: 1500ms, "
            + "memory: 1GiB, core: 0 }"
        let confinement = try pool(
            ", user: ada, group: web, umask: 027, nice: -5, oom-score: 300, new-privileges: true, "
                + limits
        ).confinement
        #expect(confinement.account.user?.text == "ada")
        #expect(confinement.account.group?.text == "web")
        #expect(confinement.umask == 0o027)
        #expect(confinement.nice == -5)
        #expect(confinement.oomScore == 300)
        #expect(confinement.newPrivileges)
        #expect(confinement.limits.openFiles == 64)
        #expect(confinement.limits.processes == 9)
        #expect(confinement.limits.fileSize == 1 << 20)
        #expect(confinement.limits.processorTime == 2, "whole seconds, rounded up")
        #expect(confinement.limits.memory == 1 << 30)
        #expect(confinement.limits.core == 0)
    }

    @Test func whatAPoolLeavesOpenIsTheServers() throws {
        let top = "user: ada\ngroup: web"
        let inherited = try pool("", top: top).confinement
        #expect(inherited.account.user?.text == "ada")
        #expect(inherited.account.group?.text == "web")
        #expect(!inherited.newPrivileges)
        // Another user brings its own group.
        let other = try pool(", user: bob", top: top).confinement.account
        #expect(other.user?.text == "bob")
        #expect(other.group == nil)
        let group = try pool(", group: git", top: top).confinement.account
        #expect(group.user?.text == "ada")
        #expect(group.group?.text == "git")
    }

    @Test func anExtensionsWorkersAndScriptsHaveTheirs() throws {
        let settings = try read(
            """
            user: ada
            extensions:
              a: { library: a }
              b: { library: b, pool: { user: bob } }
            sites:
              - root: w
                handlers:
                  - { path: /one, cgi: true }
                  - { path: /two, cgi: { user: eve, nice: 3 } }
                  - { path: /three, cgi: { timeout: 5 } }
            """)
        #expect(settings.pools.map { $0.confinement.account.user?.text } == ["ada", "bob"])
        #expect(settings.scripts.map { $0.account.user?.text } == ["ada", "eve"])
        #expect(settings.scripts[1].nice == 3)
        let places = settings.sites[0].handlers.map { mapping -> Int? in
            if case .cgi(let cgi) = mapping.target { cgi.confinement } else { nil }
        }
        #expect(places == [0, 1, 0])
    }

    @Test(arguments: [
        ("user: [a]", "1:7: found a list, expected the name or the number of a user"),
        ("user: 4294967295", "1:7: found '4294967295', expected the name or the number of a user"),
        ("group: web", "1:8: found a group without a user, expected the key 'user' too"),
        (
            "pools: { x: { command: [x], umask: 8 } }",
            "1:36: found '8', expected three octal digits, such as 027"
        ),
        (
            "pools: { x: { command: [x], umask: 1777 } }",
            "1:36: found '1777', expected three octal digits, such as 027"
        ),
        (
            "pools: { x: { command: [x], nice: 20 } }",
            "1:35: found '20', expected a whole number from -20 to 19"
        ),
    ])
    func aMistakeIsExplained(text: String, message: String) {
        #expect(complaints(about: text + "\nsites: [{ root: w }]") == "site.yaml:\(message)")
    }

    @Test func theSameNameInAnotherLineIsTheSameAccount() throws {
        let one = try pool(", user: ada")
        let two = try pool(", user: ada", top: "# A line more.\n")
        #expect(one == two)
        #expect(try pool(", user: bob") != one)
    }
}
