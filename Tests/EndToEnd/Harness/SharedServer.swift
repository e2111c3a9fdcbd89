// One server for all tests of a suite.
// SPDX-License-Identifier: Apache-2.0

import Testing

/// `@Suite(.server("…", files: […]))`: the suite's tests find the server in `SharedServer.current`.
struct SharedServer: SuiteTrait, TestScoping {
    @TaskLocal static var running: ServerProcess?

    /// The server of the suite the running test belongs to.
    static var current: ServerProcess {
        get throws { try #require(running, "the suite has no server") }
    }

    let configuration: String
    let prepare: @Sendable (SiteFolder) throws -> Void

    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        let site = try SiteFolder()
        defer { site.remove() }
        try prepare(site)
        let server = try ServerProcess(configuration, in: site)
        defer { server.stop() }
        try await Self.$running.withValue(server) { try await function() }
    }
}

extension Trait where Self == SharedServer {
    static func server(
        _ configuration: String, files: [String: String] = [:],
        prepare: @escaping @Sendable (SiteFolder) throws -> Void = { _ in }
    ) -> SharedServer {
        SharedServer(configuration: configuration) { site in
            for (name, text) in files { try site.write(name, text) }
            try prepare(site)
        }
    }
}
