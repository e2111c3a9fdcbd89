// `pools:` and the pools of extensions.
// SPDX-License-Identifier: Apache-2.0

extension SettingsReader {
    static let poolKeys =
        [
            "processes", "max-requests", "recycle", "idle-timeout", "activity-timeout",
            "request-timeout",
            "start-timeout", "queue", "rapid-fails-per-minute", "environment", "folder",
        ] + confinementKeys

    mutating func readPools(_ value: Value) {
        guard let section = Section(value, expected: "a mapping from names to pools") else {
            return
        }
        for entry in section.entries {
            let name = readName(entry.key, "a name") ?? entry.name
            poolPlaces[name] = settings.pools.count
            settings.pools.append(readPool(named: name, entry.value))
        }
    }

    private func readPool(named name: String, _ value: Value) -> Settings.Pool {
        var pool = Settings.Pool(name: name, program: .command([]))
        guard let section = Section(value, expected: "a mapping with a command") else {
            return pool
        }
        section.allow(["command"] + Self.poolKeys)
        if let command = section.required("command", in: "a pool") {
            pool.program = .command(readCommand(command))
        }
        readPoolNumbers(section, into: &pool)
        return pool
    }

    private func readCommand(_ value: Value) -> [String] {
        let expected = "a program with its arguments, such as [php-cgi, -d, display_errors=0]"
        if value.isList {
            let words = value.list(expected).enumerated().compactMap { index, element in
                index == 0 ? element.text(expected) : element.anyText(expected)
            }
            guard let program = words.first else {
                if value.list(expected).isEmpty {
                    value.refuse(found: "an empty list", expected: expected)
                }
                return []
            }
            return [Path.named(program, in: folder)] + words.dropFirst()
        }
        guard let line = value.text(expected) else { return [] }
        guard !line.contains(where: { "\"'\\".contains($0) }) else {
            value.refuse(
                found: "a command with quotes",
                expected: "a list when words are quoted: [sh, -c, \"a b\"]")
            return []
        }
        let words = line.split { " \t\n".contains($0) }.map(String.init)
        guard let program = words.first else {
            value.refuse(expected: expected)
            return []
        }
        return [Path.named(program, in: folder)] + words.dropFirst()
    }

    /// Everything of a pool besides its program.
    func readPoolNumbers(_ section: Section, into pool: inout Settings.Pool) {
        if let value = section["processes"] { readProcesses(value, into: &pool) }
        if let count = section["max-requests"]?.integer(0...1_000_000_000) {
            pool.maxRequests = count
        }
        if let value = section["recycle"] { pool.recycling = readRecycling(value) }
        if let time = section["idle-timeout"]?.duration() { pool.idleTimeout = time }
        let positive = Quantity.positiveDuration
        if let time = section["activity-timeout"]?.duration(positive) {
            pool.activityTimeout = time
        }
        if let time = section["request-timeout"]?.duration(positive) { pool.requestTimeout = time }
        if let time = section["start-timeout"]?.duration(positive) { pool.startTimeout = time }
        if let count = section["rapid-fails-per-minute"]?.integer(0...1000) {
            pool.rapidFails = count
        }
        if let value = section["queue"] { readQueue(value, into: &pool) }
        if let value = section["environment"] { pool.environment = readEnvironment(value) }
        if let path = section["folder"]?.text("a folder") {
            pool.folder = Path.absolute(path, in: folder)
        }
        readConfinement(section, into: &pool.confinement)
    }

    private func readProcesses(_ value: Value, into pool: inout Settings.Pool) {
        guard value.isSection else {
            guard let count = value.integer(1...1024) else { return }
            (pool.minimum, pool.maximum) = (count, count)
            return
        }
        guard let section = Section(value, expected: "a number or a mapping with min and max")
        else { return }
        section.allow(["min", "max"])
        let least = section["min"]?.integer(0...1024)
        let most = section["max"]?.integer(1...1024)
        pool.maximum = most ?? max(pool.maximum, least ?? 0)
        pool.minimum = least ?? min(pool.minimum, pool.maximum)
        refuseInverted(section, pool.minimum, pool.maximum)
    }

    private func readQueue(_ value: Value, into pool: inout Settings.Pool) {
        let lengths = 0...100_000
        guard value.isSection else {
            if let length = value.integer(lengths) { pool.queue = length }
            return
        }
        guard let section = Section(value, expected: "a number or a mapping") else { return }
        section.allow(["length", "timeout"])
        if let length = section["length"]?.integer(lengths) { pool.queue = length }
        if let time = section["timeout"]?.duration() { pool.queueTimeout = time }
    }

    func readEnvironment(_ value: Value) -> [Settings.Setting] {
        guard let section = Section(value, expected: "a mapping from names to texts") else {
            return []
        }
        return section.entries.compactMap { entry in
            guard Names.isVariable(entry.name, dashes: false) else {
                entry.key.refuse(expected: "a variable of letters, digits and '_'")
                return nil
            }
            return entry.value.anyText("a text").map {
                Settings.Setting(name: entry.name, value: $0)
            }
        }
    }
}
