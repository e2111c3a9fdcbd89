// The accounts that a configuration names, as the system knows them.
// SPDX-License-Identifier: Apache-2.0

package import Configuration
import Platform

/// Looked up when a configuration is read, because asking for an account may take its time, and between a new
/// process and its program nothing may ask.
package struct Identities {
    /// Nil: this process's own.
    private var known: [Settings.Account: Identity?] = [:]
    /// What is wrong with the names, each with its place.
    package private(set) var complaints: [ConfigurationError] = []

    init() {}

    /// Looks up every account of a configuration; `file` is how messages call it.
    package init(of settings: Settings, file: String) {
        let accounts =
            [settings.account] + settings.pools.map(\.confinement.account)
            + settings.scripts.map(\.account)
        for account in accounts where known[account] == nil {
            known.updateValue(find(account, file), forKey: account)
        }
    }

    /// Somebody other than this process's user is among them.
    var areOthers: Bool { known.values.contains { $0 != nil } }

    /// Those of another configuration too.
    mutating func add(_ other: Identities) { known.merge(other.known) { $1 } }

    /// Nil: this process's own.
    func identity(of account: Settings.Account) -> Identity? { known[account] ?? nil }

    func confinement(_ settings: Settings.Confinement) -> Confinement {
        var confinement = Confinement(identity: identity(of: settings.account))
        let limits = settings.limits
        confinement.limits = [
            .openFiles: limits.openFiles, .processes: limits.processes,
            .fileSize: limits.fileSize, .processorTime: limits.processorTime,
            .memory: limits.memory, .core: limits.core,
        ].compactMapValues(\.self)
        confinement.nice = settings.nice
        confinement.oomScore = settings.oomScore
        confinement.umask = settings.umask
        confinement.keepsNewPrivileges = settings.newPrivileges
        return confinement
    }

    // MARK: Looking up

    private mutating func find(_ account: Settings.Account, _ file: String) -> Identity? {
        guard let name = account.user else { return nil }
        // "It may be root" is no wish of somebody who is not.
        if account.isRoot, account.group == nil, Identity.ownUser != 0 { return nil }
        do throws(SystemError) {
            guard let identity = try look(for: account, name, file) else { return nil }
            return isOwn(identity) ? nil : permitted(identity, name, file)
        } catch {
            complain(
                name, file, "the user '\(name.text)', who cannot be looked up: \(error)",
                "an answer of the system")
            return nil
        }
    }

    private mutating func look(
        for account: Settings.Account, _ name: Settings.AccountName, _ file: String
    ) throws(SystemError) -> Identity? {
        let user = try Accounts.user(name.text)
        guard let number = user?.number ?? UInt32(name.text) else {
            complain(name, file, "the unknown user '\(name.text)'", "a user of this system")
            return nil
        }
        var group = user?.group
        if let named = account.group {
            group = try Accounts.group(named: named.text) ?? UInt32(named.text)
            guard group != nil else {
                complain(
                    named, file, "the unknown group '\(named.text)'", "a group of this system")
                return nil
            }
        }
        guard let group else {
            complain(
                name, file, "a number that is no user of this system", "the key 'group' beside it")
            return nil
        }
        let groups = user.map { Accounts.groups(ofUser: $0.name, and: group) } ?? [group]
        return Identity(user: number, group: group, groups: groups)
    }

    private func isOwn(_ identity: Identity) -> Bool {
        identity.user == Identity.ownUser && identity.group == Identity.ownGroup
    }

    private mutating func permitted(
        _ identity: Identity, _ name: Settings.AccountName, _ file: String
    ) -> Identity? {
        if Identity.ownUser == 0 { return identity }
        complain(
            name, file, "another account than the one that starts the server, which is not root",
            "no 'user', or a start as root")
        return nil
    }

    private mutating func complain(
        _ name: Settings.AccountName, _ file: String, _ found: String, _ expected: String
    ) {
        let complaint = name.complaint(in: file, found: found, expected: expected)
        if !complaints.contains(complaint) { complaints.append(complaint) }
    }
}
