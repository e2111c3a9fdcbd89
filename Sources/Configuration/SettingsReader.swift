// The top level of the file, and the numbers of the whole server.
// SPDX-License-Identifier: Apache-2.0

/// Reads the parts of a file into settings. A part that is wrong leaves its default and a complaint.
struct SettingsReader {
    let folder: String
    let builtInExtensionFolder: String
    var settings = Settings()
    /// Places in `settings.pools`, of those in the file alone, and in `settings.extensions`.
    var poolPlaces: [String: Int] = [:]
    var extensionPlaces: [String: Int] = [:]

    init(folder: String, builtInExtensionFolder: String) {
        self.folder = folder
        self.builtInExtensionFolder = builtInExtensionFolder
    }

    static let keys = [
        "listen", "user", "group", "spare", "threads", "limits", "timeouts", "logs", "recycle",
        "extension-directories", "extensions", "pools", "sites",
    ]

    mutating func read(_ root: Value) {
        let expected = "a mapping with \(Spelling.oneOf(Self.keys))"
        guard let top = Section(root, expected: expected) else { return }
        top.allow(Self.keys)
        readListeners(top["listen"])
        settings.account = readAccount(top, within: settings.account)
        settings.scripts = [Settings.Confinement(account: settings.account)]
        if let flag = top["spare"]?.flag() { settings.spare = flag }
        if let value = top["threads"] { readThreads(value) }
        if let value = top["limits"] { readLimits(value) }
        if let value = top["timeouts"] { readTimeouts(value) }
        if let value = top["logs"] { readLogs(value) }
        if let value = top["recycle"] { settings.recycling = readRecycling(value) }
        // Extensions name pools by their place behind those of the file, sites name both.
        if let value = top["pools"] { readPools(value) }
        if let value = top["extensions"] {
            readExtensions(value, directories: top["extension-directories"])
        }
        if let value = top.required("sites", in: "a configuration") { readSites(value) }
    }

    private mutating func readListeners(_ value: Value?) {
        guard let value else {
            settings.listeners = [.tcp(host: "127.0.0.1", port: 8080)]
            return
        }
        let elements = value.elements(Address.expected)
        if elements.isEmpty, value.isList || value.isNothing {
            value.refuse(found: "no address", expected: Address.expected)
        }
        // The start message to the host carries 64 descriptors at most (Platform.MessageSocket).
        if elements.count > 60 {
            value.refuse(found: "\(elements.count) addresses", expected: "at most 60")
        }
        for element in elements.prefix(60) {
            guard let text = element.text(Address.expected) else { continue }
            guard let listener = Address.listener(text, folder: folder) else {
                element.refuse(expected: Address.expected)
                continue
            }
            if settings.listeners.contains(where: { $0.excludes(listener) }) {
                element.refuse(
                    found: "\(element.shown) a second time", expected: "each address once")
            }
            settings.listeners.append(listener)
        }
    }

    private mutating func readThreads(_ value: Value) {
        guard let section = Section(value, expected: "a mapping with min, max and shards")
        else { return }
        section.allow(["min", "max", "shards"])
        var threads = settings.threads
        if let min = section["min"]?.integer(0...1024) { threads.min = min }
        if let max = section["max"]?.integer(1...4096) { threads.max = max }
        refuseInverted(section, threads.min, threads.max)
        if let shards = section["shards"], let count = shards.integer(0...256) {
            threads.shards = count
            if count > threads.max {
                shards.refuse(
                    found: "\(count) shards for \(threads.max) threads",
                    expected: "no more shards than threads.max")
            }
        }
        settings.threads = threads
    }

    private mutating func readLimits(_ value: Value) {
        guard let section = Section(value, expected: "a mapping of limits") else { return }
        section.allow([
            "request-line", "head", "fields", "body", "body-in-memory", "temporary-folder",
            "connections", "response-buffer", "response-file", "buffers", "spool", "least-rate",
        ])
        var limits = settings.limits
        let line = section["request-line"]
        if let bytes = line?.size(256...1 << 20) { limits.requestLine = Int(bytes) }
        let head = section["head"]
        if let bytes = head?.size(256...1 << 17) { limits.head = Int(bytes) }
        if limits.requestLine > limits.head {
            (line ?? head)?.refuse(
                found: "a request-line of \(limits.requestLine) bytes in a head of \(limits.head)",
                expected: "a request-line no longer than the head")
        }
        if let count = section["fields"]?.integer(1...10000) { limits.fields = count }
        if let bytes = section["body"]?.size(0...1 << 50) { limits.body = bytes }
        if let bytes = section["body-in-memory"]?.size(0...1 << 30) {
            limits.bodyInMemory = Int(bytes)
        }
        if let path = section["temporary-folder"]?.text("a folder") {
            limits.temporaryFolder = Path.absolute(path, in: folder)
        }
        if let count = section["connections"]?.integer(1...1_000_000) { limits.connections = count }
        if let bytes = section["response-buffer"]?.size(4096...1 << 30) {
            limits.responseBuffer = Int(bytes)
        }
        if let bytes = section["response-file"]?.size(0...1 << 40) { limits.responseFile = bytes }
        if let bytes = section["buffers"]?.size(1 << 16...1 << 40) { limits.buffers = bytes }
        if let bytes = section["spool"]?.size(0...1 << 50) { limits.spool = bytes }
        if let rate = section["least-rate"]?.integer(0...1_000_000) { limits.leastRate = rate }
        settings.limits = limits
    }

    private mutating func readTimeouts(_ value: Value) {
        guard let section = Section(value, expected: "a mapping of times") else { return }
        section.allow([
            "head", "body", "receive", "keep-alive", "send", "response", "queue", "request",
            "drain",
        ])
        let positive = Quantity.positiveDuration
        if let time = section["head"]?.duration(positive) { settings.timeouts.head = time }
        if let time = section["body"]?.duration(positive) { settings.timeouts.body = time }
        if let time = section["keep-alive"]?.duration() { settings.timeouts.keepAlive = time }
        if let time = section["send"]?.duration(positive) { settings.timeouts.send = time }
        if let time = section["receive"]?.duration(positive) { settings.timeouts.receive = time }
        if let time = section["response"]?.duration(positive) { settings.timeouts.response = time }
        if let time = section["queue"]?.duration(positive) { settings.timeouts.queue = time }
        if let time = section["request"]?.duration(positive) { settings.timeouts.request = time }
        if let time = section["drain"]?.duration() { settings.timeouts.drain = time }
    }

    private mutating func readLogs(_ value: Value) {
        guard let section = Section(value, expected: "a mapping with access and error") else {
            return
        }
        section.allow(["access", "error"])
        if let access = section["access"]?.text("a file, \"-\" for standard output, or none") {
            settings.logs.access =
                access == "none" ? nil : access == "-" ? access : Path.absolute(access, in: folder)
        }
        let expected = "a file, or \"-\" for standard error"
        if let value = section["error"], let error = value.text(expected) {
            // There is always an error log: only the access log may be "none".
            if error == "none" { value.refuse(expected: expected) }
            settings.logs.error = error == "-" ? nil : Path.absolute(error, in: folder)
        }
    }

    func refuseInverted(_ section: Section, _ min: Int, _ max: Int) {
        guard min > max else { return }
        (section["min"] ?? section.place).refuse(
            found: "min \(min) above max \(max)", expected: "min no greater than max")
    }

    /// A name that goes into logs, file names and variables.
    func readName(_ value: Value, _ what: String) -> String? {
        let expected = "\(what) of letters, digits, '.', '_' and '-', at most 64 of them"
        guard let name = value.text(expected) else { return nil }
        let isPlain = name.utf8.allSatisfy { Names.isWordByte($0) || $0 == UInt8(ascii: ".") }
        guard isPlain, name.utf8.count <= 64, !name.hasPrefix(".") else {
            value.refuse(expected: expected)
            return nil
        }
        return name
    }
}
