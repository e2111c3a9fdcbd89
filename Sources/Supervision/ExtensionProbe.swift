// Every extension of a configuration is loaded in a throw-away process before any other touches it.
// SPDX-License-Identifier: Apache-2.0

import Configuration
import Control
import Platform

/// Loads extensions where nothing can be hurt, all at the same time, and notes what came of it.
///
/// A library may crash, hang or leave the process in its constructors or in GetExtensionVersion: it does
/// so in the probe, and is disabled by name while the rest of the site runs.
struct ExtensionProbe {
    /// Seconds a library may take to load; one that needs longer is not going to.
    private static let patience = 5.0

    let programPath: String

    /// Fills in the verdict of every extension.
    func examine(_ settings: inout Settings) {
        let deadline = Instant.now.adding(seconds: Self.patience)
        let probes = settings.extensions.map(start)
        for (index, probe) in probes.enumerated() {
            let entry = settings.extensions[index]
            let verdict = probe.verdict(of: entry, by: deadline)
            settings.extensions[index].verdict = verdict
            // Workers stand ready only where they will be asked.
            if verdict.home != .isolated { settings.pools[entry.pool].minimum = 0 }
        }
    }

    private func start(_ entry: Settings.Extension) -> Probe {
        let found = entry.candidates.first { (try? Files.status(path: $0))?.kind == .regular }
        guard let path = found else {
            let places = entry.candidates.joined(separator: ", ")
            return Probe(
                path: entry.library,
                failure: "no such library; looked for \(places); correct 'library' or build it")
        }
        do throws(SystemError) {
            let pipe = try Files.pipe()
            let (read, write) = (pipe.read, pipe.write)
            defer { closeDescriptor(write) }
            var start = ProcessStart(
                program: programPath, arguments: ["mortise", "probe", "--", path])
            start.environment = BaseEnvironment.variables.map { Array("\($0.0)=\($0.1)".utf8) }
            start.descriptors = [-1, write, write]
            return Probe(path: path, child: try ChildProcess(start), output: read)
        } catch {
            return Probe(path: path, failure: "no process could be started to load it in: \(error)")
        }
    }
}

/// One library in its process.
private final class Probe {
    private let path: String
    private let child: ChildProcess?
    private let output: Descriptor?
    private var failure: String?
    private var declaresThreadSafe = false

    init(path: String, failure: String) {
        self.path = path
        self.failure = failure
        child = nil
        output = nil
    }

    init(path: String, child: ChildProcess, output: Int32) {
        self.path = path
        self.child = child
        self.output = Descriptor(owning: output)
        Files.setNonBlocking(output)
    }

    /// Waits for the process's end, at most until then.
    func verdict(of entry: Settings.Extension, by deadline: Instant) -> ExtensionVerdict {
        collect(until: deadline)
        if let failure { return ExtensionVerdict(home: .broken(failure), path: path) }
        let isSafe = entry.threadSafe ?? declaresThreadSafe
        return ExtensionVerdict(
            home: isSafe ? .inProcess : .isolated, path: path, version: version)
    }

    private var version: String {
        guard let status = try? Files.status(path: path) else { return "" }
        return "\(status.device)-\(status.inode)-\(status.size)-\(status.modified)"
            + ".\(status.modifiedNanoseconds)"
    }

    private func collect(until deadline: Instant) {
        guard let child else { return }
        let ready = Socket.wait(
            child.handle.number, for: .readable, milliseconds: max(0, deadline.pollTimeout()))
        if ready.isEmpty {
            child.signalGroup(.kill)
            _ = Socket.wait(child.handle.number, for: .readable, milliseconds: 1000)
            _ = child.reap()
            failure =
                "loading it took too long (5 s): look at its constructors and GetExtensionVersion"
            return
        }
        let said = readAll()
        // The library may have left something running.
        child.signalGroup(.kill)
        switch child.reap() {
        // The exit codes of `mortise probe`; a library that calls exit(0) gets none of them.
        case .exited(code: 12): declaresThreadSafe = true
        case .exited(code: 10), .exited(code: 11): break
        case .exited(let code):
            failure = said.isEmpty ? "loading it ended the process with code \(code)" : said
        case .killed(let signal): failure = "loading it crashed the process with signal \(signal)"
        case nil: failure = "its probe cannot be reaped"
        }
    }

    private func readAll() -> String {
        guard let number = outputNumber else { return "" }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while bytes.count < 16 * 1024 {
            guard
                case .bytes(let count) = chunk.withUnsafeMutableBytes({
                    Files.readPipe(number, into: $0)
                })
            else { break }
            bytes.append(contentsOf: chunk[..<count])
        }
        while bytes.last == UInt8(ascii: "\n") { bytes.removeLast() }
        return String(decoding: bytes, as: UTF8.self)
    }

    private var outputNumber: Int32? {
        switch output {
        case .some(let descriptor): descriptor.number
        case nil: nil
        }
    }
}
