// A supervisor as a process of its own, with a test at its side.
// SPDX-License-Identifier: Apache-2.0

import Platform

/// Starts the probe program beside the tests with a configuration of its own in a folder of its own.
final class RunningSupervisor {
    struct Worker: Equatable {
        var id: String
        var pid: Int32
    }

    let process: ChildProcess
    let text: String
    private let folder: PrivateFolder
    private let socketPath: String
    private let logFile: Descriptor

    /// - Parameter pools: the lines below `pools:`.
    init(
        pools: String? = nil, text: String? = nil, trailer: String = "",
        extensions: [String] = [], openFiles: Int? = nil,
        sharing other: RunningSupervisor? = nil
    ) throws {
        folder = try PrivateFolder(prefix: "mortise-test-", in: ["/tmp"])
        let program = try Self.programPath()
        socketPath = other?.socketPath ?? "\(folder.path)/socket"
        let path = folder.path
        let libraries =
            (extensions.isEmpty ? "" : "extensions:\n")
            + extensions.map {
                "  \($0): { library: \(path)/\($0).so, thread-safe: true }\n"
            }.joined()
        for name in extensions { try Self.write("", to: "\(path)/\(name).so") }
        let standard = "  probe: { command: [\(program), worker], processes: { min: 2, max: 3 } }"
        self.text =
            text
                ?? """
                listen: ["unix:\(socketPath)"]
                timeouts: { drain: 5 }
                pools:
                \(pools ?? standard)
                \(libraries)
                sites:
                  - name: main
                    handlers:
                      - { path: /x, redirect: /y }
                \(trailer)

                """
        try Self.write(self.text, to: "\(folder.path)/site.yaml")
        logFile = try Files.open("\(folder.path)/log", [.readWrite, .create, .append])
        var start = ProcessStart(
            program: program, arguments: ["probe", "serve", "\(folder.path)/site.yaml"])
        if let openFiles {
            start.program = "/bin/sh"
            start.arguments = [
                "sh", "-c", "ulimit -Sn \(openFiles); ulimit -Hn \(openFiles + 8); exec \"$@\"",
                "sh",
                program, "serve", "\(folder.path)/site.yaml",
            ]
        }
        start.environment = ["PATH=/usr/bin:/bin", "XDG_RUNTIME_DIR=\(folder.path)"].map {
            Array($0.utf8)
        }
        start.descriptors = [-1, logFile.number, logFile.number]
        // The thread that runs this test may end before the test does.
        start.endsWithParent = false
        process = try ChildProcess(start)
    }

    deinit {
        process.signal(.kill)
        _ = waitForEnd()
        PrivateFolder.sweep(prefix: "mortise-server-", in: [folder.path])
        folder.remove()
    }

    var log: String {
        String(decoding: (try? Files.contents(of: logFile.number)) ?? [], as: UTF8.self)
    }

    /// One command to the host; nil when nobody answers.
    func ask(_ command: String) -> String? {
        let deadline = Instant.now.adding(seconds: 20)
        while Instant.now < deadline {
            if let socket = try? Socket.connect(.unix(socketPath)) {
                return answer(to: command, on: socket.number)
            }
            if process.end() != nil { return nil }
            Thread.sleep(milliseconds: 5)
        }
        return nil
    }

    /// A connection that stays open.
    func connect() throws -> Descriptor { try Socket.connect(.unix(socketPath)) }

    /// The folder the server runs in, and the one it has made there for its own sockets.
    var ownFolder: String { folder.path }
    var runtimeFolder: String? {
        Files.names(in: folder.path).first { $0.hasPrefix("mortise-server-") }
            .map { "\(folder.path)/\($0)" }
    }

    func answer(to command: String, on socket: Int32) -> String? {
        Array("\(command)\n".utf8).withUnsafeBytes { _ = Socket.send(socket, $0) }
        Socket.setReceiveTimeout(socket, milliseconds: 20_000)
        var answer: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while answer.last != UInt8(ascii: "\n") {
            let received = chunk.withUnsafeMutableBytes { Socket.receive(socket, into: $0) }
            guard case .bytes(let count) = received else { return nil }
            answer += chunk[..<count]
        }
        return String(decoding: answer.dropLast(), as: UTF8.self)
    }

    /// The host's workers, as soon as there are so many.
    func waitForWorkers(_ count: Int) throws -> [Worker] {
        var workers: [Worker] = []
        _ = waitUntil {
            workers = (self.ask("workers") ?? "").split(separator: " ").compactMap { entry in
                let parts = entry.split(separator: ":")
                return Int32(parts[1]).map { Worker(id: String(parts[0]), pid: $0) }
            }
            return workers.count == count
        }
        return workers
    }

    /// Waits at most 30 seconds.
    func waitUntil(_ condition: () -> Bool) -> Bool {
        let deadline = Instant.now.adding(seconds: 120)
        while Instant.now < deadline {
            if condition() { return true }
            Thread.sleep(milliseconds: 10)
        }
        return false
    }

    func reload(with text: String) throws {
        try Self.write(text, to: "\(folder.path)/site.yaml")
        process.signal(.hangUp)
    }

    func stop() -> ChildProcess.End? {
        process.signal(.terminate)
        return waitForEnd()
    }

    func waitForEnd() -> ChildProcess.End? {
        _ = Socket.wait(process.handle.number, for: .readable, milliseconds: 20_000)
        return process.reap()
    }

    /// Living descendants of the supervisor whose command line contains the text.
    func children(named text: String) -> [Int32] {
        Self.descendants(of: process.pid).filter { Self.commandLine($0).contains(text) }
    }

    /// Living processes that know this supervisor's folder by their arguments or variables.
    var everybody: [Int32] {
        Self.numbers.filter { pid in
            guard let file = try? Files.open("/proc/\(pid)/environ", .readOnly),
                let bytes = try? Files.contents(of: file.number)
            else { return false }
            return String(decoding: bytes, as: UTF8.self).contains(folder.path)
        }
    }

    /// A file in the folder the server runs in.
    func write(_ text: String, to name: String) throws {
        try Self.write(text, to: "\(folder.path)/\(name)")
    }

    static func kill(_ pid: Int32) { Orphans.kill(pid) }

    /// SIGSTOP.
    static func stop(_ pid: Int32) { shell("kill -STOP \(pid)") }

    static func removeFolder(_ path: String) { shell("rm -r \(path)") }

    private static func shell(_ command: String) {
        var start = ProcessStart(program: "/bin/sh", arguments: ["sh", "-c", command])
        start.environment = [Array("PATH=/usr/bin:/bin".utf8)]
        start.endsWithParent = false
        guard let child = try? ChildProcess(start) else { return }
        _ = Socket.wait(child.handle.number, for: .readable, milliseconds: 20_000)
        _ = child.reap()
    }

    static func isAlive(_ pid: Int32) -> Bool { parent(of: pid) != nil }

    // MARK: /proc

    private static var numbers: [Int32] {
        Files.names(in: "/proc").compactMap { Int32($0) }
    }

    private static func descendants(of root: Int32) -> [Int32] {
        var found: [Int32] = []
        let parents = numbers.map { ($0, parent(of: $0)) }
        var level: Set<Int32> = [root]
        while !level.isEmpty {
            let next = parents.filter { $0.1.map(level.contains) ?? false }.map(\.0)
            found += next
            level = Set(next)
        }
        return found
    }

    /// Nil when the process is gone or a zombie.
    private static func parent(of pid: Int32) -> Int32? {
        guard let file = try? Files.open("/proc/\(pid)/stat", .readOnly),
            let bytes = try? Files.contents(of: file.number)
        else { return nil }
        let text = String(decoding: bytes, as: UTF8.self)
        guard let end = text.lastIndex(of: ")") else { return nil }
        let words = text[text.index(after: end)...].split(separator: " ")
        return words.first == "Z" ? nil : Int32(words[1])
    }

    private static func commandLine(_ pid: Int32) -> String {
        guard let file = try? Files.open("/proc/\(pid)/cmdline", .readOnly),
            let bytes = try? Files.contents(of: file.number)
        else { return "" }
        return String(decoding: bytes.map { $0 == 0 ? 0x20 : $0 }, as: UTF8.self)
    }

    private static func programPath() throws -> String {
        let tests = try Files.realPath("/proc/self/exe")
        return String(tests[..<tests.lastIndex(of: "/")!]) + "/SupervisionProbe"
    }

    private static func write(_ text: String, to path: String) throws {
        let file = try Files.open(path, [.writeOnly, .create, .truncate])
        let bytes = Array(text.utf8)
        try bytes.withUnsafeBytes { try Files.writeAll(file.number, $0) }
    }
}
