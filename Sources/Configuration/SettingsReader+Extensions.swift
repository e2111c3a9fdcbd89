// `extensions:`, each with a pool of its own.
// SPDX-License-Identifier: Apache-2.0

extension SettingsReader {
    mutating func readExtensions(_ value: Value, directories: Value?) {
        guard let section = Section(value, expected: "a mapping from names to extensions") else {
            return
        }
        let folders = readDirectories(directories)
        for entry in section.entries {
            let name = readName(entry.key, "a name") ?? entry.name
            if poolPlaces[name] != nil {
                entry.key.refuse(
                    found: "an extension and a pool named '\(name)'", expected: "names that differ")
            }
            extensionPlaces[name] = settings.extensions.count
            readExtension(named: name, entry.value, directories: folders)
        }
    }

    /// Those of the file, then the program's own.
    private func readDirectories(_ value: Value?) -> [String] {
        let written = value?.elements("a folder or a list of folders") ?? []
        let paths = written.compactMap { $0.text("a folder") }
        return paths.map { Path.absolute($0, in: folder) } + [builtInExtensionFolder]
    }

    private mutating func readExtension(named name: String, _ value: Value, directories: [String]) {
        var result = Settings.Extension(
            name: name, library: "", directories: directories, threadSafe: nil, settings: [],
            pool: settings.pools.count)
        var pool = Settings.Pool(name: name, program: .worker(extension: name))
        // What may run in the host starts a worker when the first is asked for.
        pool.minimum = 0
        pool.rapidFails = 5
        pool.confinement = Settings.Confinement(account: settings.account)
        defer {
            settings.extensions.append(result)
            settings.pools.append(pool)
        }
        guard let section = Section(value, expected: "a mapping with a library") else { return }
        section.allow([
            "library", "thread-safe", "concurrency", "demote-after", "watch", "timeouts", "pool",
            "settings",
        ])
        let expected = "a library: a path, or a name looked for in extension-directories"
        if let library = section.required("library", in: "an extension")?.text(expected) {
            result.library = Path.named(library, in: folder)
        }
        result.threadSafe = section["thread-safe"]?.flag()
        if let count = section["concurrency"]?.integer(1...100_000) {
            result.concurrency = count
        }
        if let value = section["timeouts"], let times = Section(value, expected: "a mapping") {
            times.allow(["call"])
            result.callTimeout = times["call"]?.duration(Quantity.positiveDuration)
        }
        if let flag = section["watch"]?.flag() { result.watch = flag }
        if let count = section["demote-after"]?.integer(0...1000) { result.demoteAfter = count }
        if result.threadSafe == false { pool.minimum = 1 }
        if let value = section["settings"] { result.settings = readSettings(value) }
        if let value = section["pool"], let section = Section(value, expected: "a mapping") {
            section.allow(Self.poolKeys)
            readPoolNumbers(section, into: &pool)
        }
        if result.threadSafe == true { pool.minimum = 0 }
    }

    private func readSettings(_ value: Value) -> [Settings.Setting] {
        guard let section = Section(value, expected: "a mapping from names to texts") else {
            return []
        }
        return section.entries.compactMap { entry in
            guard Names.isVariable(entry.name, dashes: true) else {
                entry.key.refuse(expected: "a name of letters, digits, '_' and '-'")
                return nil
            }
            guard !Names.isReserved(entry.name) else {
                entry.key.refuse(expected: "a name that no request variable has")
                return nil
            }
            return entry.value.anyText("a text").map {
                Settings.Setting(name: entry.name, value: $0)
            }
        }
    }
}
