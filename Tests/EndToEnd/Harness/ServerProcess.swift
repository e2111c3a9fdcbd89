// A Mortise of a test's own: started from a folder, watched, and stopped without a trace.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
import Testing
import TestSupport

final class ServerProcess: Sendable {
    let site: SiteFolder
    let port: UInt16
    let process: SpawnedProcess

    /// Writes `configuration` behind a `listen:` and a `logs:` of its own, starts the server, and waits
    /// until it answers. Without a `user:` it may be root's.
    ///
    /// - Parameters:
    ///   - openFiles: The limit on open files it is started with.
    ///   - preparation: Commands of the shell that becomes the server.
    ///   - descriptors: What it finds at 3, 4 …
    init(
        _ configuration: String, in site: SiteFolder, port: UInt16 = ServerProcess.freePort(),
        openFiles: Int? = nil, preparation: String = "", descriptors: [Int32] = []
    ) throws {
        self.site = site
        self.port = port
        try site.write("site.yaml", Self.complete(configuration, site: site, port: port))
        let limit = openFiles.map { "ulimit -n \($0); " } ?? ""
        process = try SpawnedProcess(
            "/bin/sh",
            [
                "-c", limit + preparation + "exec \"$0\" serve \"$1\"", Package.program,
                site.path + "/site.yaml",
            ],
            output: site.path + "/output.log", errors: site.path + "/errors.log",
            descriptors: descriptors)
        try waitUntilItAnswers()
    }

    private static func complete(_ configuration: String, site: SiteFolder, port: UInt16) -> String
    {
        func names(_ key: String) -> Bool { "\n\(configuration)".contains("\n\(key):") }
        let user = names("user") ? "" : "\nuser: root"
        guard !names("listen") else { return configuration + user + "\n" }
        return """
            listen: [127.0.0.1:\(port)]
            logs: { access: \(site.path)/access.log }\(user)
            \(configuration)
            """
    }

    /// Replaces the configuration's text; `reload` brings it into use.
    func write(_ configuration: String) throws {
        try site.write("site.yaml", Self.complete(configuration, site: site, port: port))
    }

    /// A port of 127.0.0.1 nobody listens on now.
    static func freePort() -> UInt16 {
        let fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(fd) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = bind(fd, $0, size)
                _ = getsockname(fd, $0, &size)
            }
        }
        return UInt16(bigEndian: address.sin_port)
    }

    private func waitUntilItAnswers() throws {
        let answers = eventually {
            if process.poll() != nil { return true }
            guard let client = try? RawClient(port: port), (try? client.exchange("GET", "/")) != nil
            else {
                return false
            }
            return true
        }
        if let ending = process.poll() {
            throw StartFailure(reason: "\(ending)", errors: errors)
        }
        guard answers else {
            process.signal(SIGKILL)
            _ = process.wait(seconds: 60)
            throw StartFailure(reason: "it does not answer", errors: errors)
        }
    }

    // MARK: looking

    /// What the server wrote to standard error so far.
    var errors: String { site.text("errors.log") }
    var accessLog: String { site.text("access.log") }

    /// The processes below the supervisor.
    var children: [ProcessTree.Entry] { ProcessTree.descendants(of: process.pid) }

    /// The host that serves: the newest, when one before it is still leaving.
    var host: ProcessIdentity? {
        let serving = hosts.filter { ProcessTree.name(of: $0.pid) == "mortise-host" }
        return serving.max { $0.started < $1.started }
    }

    /// The hosts that serve or have served; those that stand by have another name.
    var hosts: [ProcessIdentity] {
        children(running: " host ").filter {
            ["mortise-host", "mortise-leaving"].contains(ProcessTree.name(of: $0.pid))
        }
    }

    /// The hosts that are ready to take over.
    var spareHosts: [ProcessIdentity] {
        children(running: " host ").filter { ProcessTree.name(of: $0.pid) == "mortise-spare" }
    }

    func children(running part: String) -> [ProcessIdentity] {
        children.filter { " \($0.command) ".contains(part) }.map(\.identity)
    }

    /// The folder with the workers' sockets, as the host has been told.
    var runtimeFolder: String? {
        host.flatMap { ProcessTree.variable("MORTISE_RUNTIME_FOLDER", of: $0.pid) }
    }

    func client() throws -> RawClient { try RawClient(port: port) }

    /// One request on a connection of its own.
    func get(_ target: String, fields: [String] = []) throws -> HTTPResponse {
        try client().exchange("GET", target, fields: fields)
    }

    // MARK: ending

    /// SIGHUP, and waits until another host has taken over and the one before has left.
    func reload() throws {
        let before = host
        process.signal(SIGHUP)
        let changed = eventually {
            let hosts = self.hosts
            return hosts.contains { $0 != before } && !hosts.contains { $0 == before }
        }
        #expect(
            changed,
            "no new host after SIGHUP: before \(String(describing: before)), now \(hosts)\n\(errors)"
        )
    }

    /// SIGTERM, unless the test has ended it: the server must end with 0 and leave no process behind.
    func stop() {
        if process.poll() == nil { terminate() }
        #expect(!errors.contains("Fatal error"), "\(errors.suffix(4000))")
        let reports = SanitizerReports.takeAll()
        #expect(reports.isEmpty, "\(reports)")
    }

    private func terminate() {
        let children = self.children.map(\.identity)
        process.signal(SIGTERM)
        let ending = process.wait(seconds: 60)
        if ending == nil { process.signal(SIGKILL) }
        #expect(ending == .exited(0), "\(errors.suffix(2000))")
        expectGone(children)
    }

    func expectGone(_ processes: [ProcessIdentity]) {
        eventually { !processes.contains { $0.isAlive } }
        let left = processes.filter(\.isAlive).compactMap { ProcessTree.entry($0.pid)?.command }
        #expect(left.isEmpty, "processes outlived their supervisor")
        for process in processes where process.isAlive { process.kill(SIGKILL) }
    }
}

struct StartFailure: Error, CustomStringConvertible {
    var reason: String
    var errors: String
    var description: String { "mortise did not start: \(reason)\n\(errors.suffix(4000))" }
}

/// Runs `body` with a server of its own and stops it after, whatever happens.
func withServer(
    _ configuration: String, files: [String: String] = [:], openFiles: Int? = nil,
    _ body: (ServerProcess) throws -> Void
) throws {
    let site = try SiteFolder()
    defer { site.remove() }
    for (name, text) in files { try site.write(name, text) }
    let server = try ServerProcess(configuration, in: site, openFiles: openFiles)
    defer { server.stop() }
    try body(server)
}
