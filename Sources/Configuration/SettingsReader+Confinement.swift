// `user`, `group` and the limits of processes.
// SPDX-License-Identifier: Apache-2.0

extension SettingsReader {
    static let confinementKeys = [
        "user", "group", "umask", "limits", "nice", "oom-score", "new-privileges",
    ]

    /// The account that `user` and `group` of a section name; what they leave open is that of `outer`.
    func readAccount(_ section: Section, within outer: Settings.Account) -> Settings.Account {
        var account = outer
        if let user = section["user"].flatMap({ readAccountName($0, "user") }) {
            account.user = user
            account.group = nil
        }
        guard let value = section["group"] else { return account }
        account.group = readAccountName(value, "group")
        if account.user == nil, section["user"] == nil {
            value.refuse(found: "a group without a user", expected: "the key 'user' too")
        }
        return account
    }

    func readConfinement(_ section: Section, into result: inout Settings.Confinement) {
        result.account = readAccount(section, within: settings.account)
        if let value = section["umask"] { result.umask = readMask(value) }
        if let value = section["limits"] { result.limits = readProcessLimits(value) }
        if let number = section["nice"]?.integer(-20...19) { result.nice = number }
        if let number = section["oom-score"]?.integer(-1000...1000) { result.oomScore = number }
        if let flag = section["new-privileges"]?.flag() { result.newPrivileges = flag }
    }

    private func readAccountName(_ value: Value, _ what: String) -> Settings.AccountName? {
        let expected = "the name or the number of a \(what)"
        guard let text = value.text(expected) else { return nil }
        // The last number means "as it is" to the kernel (man 2 setresuid).
        let isNumber = text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        if isNumber, (UInt32(text) ?? .max) == .max {
            value.refuse(expected: expected)
            return nil
        }
        return Settings.AccountName(text, at: value.place)
    }

    private func readMask(_ value: Value) -> UInt32? {
        let expected = "three octal digits, such as 027"
        guard let text = value.text(expected) else { return nil }
        guard (3...4).contains(text.utf8.count), let mask = UInt32(text, radix: 8), mask <= 0o777
        else {
            value.refuse(expected: expected)
            return nil
        }
        return mask
    }

    private func readProcessLimits(_ value: Value) -> Settings.ProcessLimits {
        var limits = Settings.ProcessLimits()
        guard let section = Section(value, expected: "a mapping of limits") else { return limits }
        section.allow(["open-files", "processes", "file-size", "cpu-time", "memory", "core"])
        limits.openFiles = section["open-files"]?.integer(16...1_048_576).map { UInt64($0) }
        limits.processes = section["processes"]?.integer(1...1_000_000).map { UInt64($0) }
        limits.fileSize = section["file-size"]?.size(0...1 << 50).map { UInt64($0) }
        limits.processorTime = section["cpu-time"]?.duration(Quantity.positiveDuration)
            .map { UInt64($0.rounded(.up)) }
        limits.memory = section["memory"]?.size(1 << 20...1 << 50).map { UInt64($0) }
        limits.core = section["core"]?.size(0...1 << 50).map { UInt64($0) }
        return limits
    }
}
