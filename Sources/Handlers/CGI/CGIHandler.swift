// A CGI script answers one exchange (RFC 3875).
// SPDX-License-Identifier: Apache-2.0

import Synchronization

package import Configuration
import Control
import Exchange
import Platform

/// Answers exchanges with the script that `route.scriptFilename` names, one process each.
///
/// The calling thread waits for the script. The script's input is a file that holds the whole body, so a
/// script that ignores it blocks nobody.
package final class CGIHandler: Sendable {
    let settings: Settings.CGI
    private let starter: any ScriptStarter
    private let running = Atomic<Int>(0)
    let failures = FailureLines()
    /// What the scripts' standard error may add to the log.
    let errorLines = LineLimit(burst: 200, perSecond: 10)

    package init(_ settings: Settings.CGI, starter: any ScriptStarter) {
        self.settings = settings
        self.starter = starter
    }

    /// Answers the exchange; `.redirect` when the script names another path of this server instead.
    package func run(_ exchange: Exchange) -> RelayOutcome {
        let count = running.add(1, ordering: .relaxed).newValue
        defer { running.subtract(1, ordering: .relaxed) }
        guard count <= settings.concurrency else {
            failures.fail(
                exchange, status: 503,
                reason: "\(settings.concurrency) scripts are running; raise concurrency",
                retryAfter: 1)
            return .answered
        }
        let interpreter = settings.interpreter.map { (name: $0, path: ProgramSearch.find($0)) }
        if let interpreter, interpreter.path == nil {
            failures.fail(
                exchange, status: 503,
                reason: "interpreter \(interpreter.name) was not found or may not be executed;"
                    + " install it, or correct 'interpreter'")
            return .answered
        }
        guard let script = script(for: exchange, interpreter: interpreter?.path) else {
            failures.fail(
                exchange, status: 431, reason: "the script's environment would be too large")
            return .answered
        }
        do throws(SystemError) {
            return try start(script, for: exchange)
        } catch {
            failures.fail(
                exchange, status: 503, reason: "a script's streams: \(error)", retryAfter: 1)
            return .answered
        }
    }

    private func start(
        _ script: Script, for exchange: Exchange
    ) throws(SystemError) -> RelayOutcome {
        let body = exchange.body.length > 0 ? try bodyFile(of: exchange) : nil
        let input =
            switch body {
            case .some(let file): file.number
            case nil: try EmptyInput.number()
            }
        let output = try CGIPipe()
        let errors = try CGIPipe()
        let run = starter.start(
            script, stdin: input, stdout: output.write.number, stderr: errors.write.number)
        guard let run else {
            failures.fail(
                exchange, status: 503, reason: "no supervisor can start the script", retryAfter: 1)
            return .answered
        }
        var conversation = CGIConversation(
            exchange, run, program: exchange.route.scriptFilename, handler: self)
        // Only the script and its starter may hold the output's writing end: its closing is the end. That of
        // the errors stays open, because their end says nothing.
        return conversation.run(output: output.closeWriting(), errors: errors.read.number)
    }

    /// The body from its beginning, in an open file of the script's own.
    private func bodyFile(of exchange: Exchange) throws(SystemError) -> Descriptor {
        if let file = exchange.body.file { return try Self.reopen(file) }
        let file = try Files.memory(named: "request body")
        let body = exchange.body.memory
        try body.span.withUnsafeBytes { (bytes) throws(SystemError) in
            try Files.writeAll(file.number, bytes)
        }
        return try Self.reopen(file.number)
    }

    /// Another description of an open file, to read it from offset 0 (man 5 proc, /proc/self/fd).
    private static func reopen(_ number: Int32) throws(SystemError) -> Descriptor {
        try Files.open("/proc/self/fd/\(number)", .readOnly)
    }
}
