// Short runs of other programs, and the small things their users share.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
import Synchronization

/// A value behind a lock, for state shared by threads of a test.
final class Locked<Value: Sendable>: Sendable {
    private let value: Mutex<Value>
    init(_ value: Value) { self.value = Mutex(value) }
    func withLock<Result: Sendable>(_ body: (inout Value) throws -> Result) rethrows -> Result {
        try value.withLock { inner in
            var copy = inner
            defer { inner = copy }
            return try body(&copy)
        }
    }
    var current: Value { withLock { $0 } }
}

/// Runs a program to its end and keeps what it printed.
final class SpawnedProcessRun {
    private let program: String
    private let arguments: [String]
    private(set) var output = ""
    private(set) var errors = ""

    init(_ program: String, _ arguments: [String]) {
        self.program = program
        self.arguments = arguments
    }

    /// How it ended; nil when it could not be started or ran longer than a minute (it is killed then).
    func run(seconds: Double = 60) -> ProcessEnding? {
        guard let folder = try? SiteFolder() else { return nil }
        defer { folder.remove() }
        guard
            let process = try? SpawnedProcess(
                program, arguments, output: folder.path + "/out", errors: folder.path + "/err")
        else { return nil }
        var ending = process.wait(seconds: seconds)
        if ending == nil {
            process.signal(SIGKILL)
            _ = process.wait(seconds: 10)
            ending = nil
        }
        output = folder.text("out")
        errors = folder.text("err")
        return ending
    }
}

/// Fails the test that needs PHP when there is none: a skipped test would say nothing.
func requirePHP() throws {
    let search = SpawnedProcessRun("/usr/bin/env", ["php-cgi", "-v"])
    guard search.run() == .exited(0) else { throw Missing(what: "php-cgi is not installed") }
}
