// mortise status, crashes, reload, recycle, stop, quarantine, release: what an operator asks a running server.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Control
import Platform

/// Which running server is meant.
struct RunningServer: ParsableArguments {
    @Option(
        name: .customLong("server"),
        help: ArgumentHelp(
            "The configuration that the server was started with; needed when several servers of this user run.",
            valueName: "file.yaml"))
    var configuration: String?

    /// Asks the one that is meant; complains and ends the command when there is none, or it says no.
    func ask(_ request: OperatorRequest) throws {
        let line = try find()
        guard let answer = line.ask(request) else {
            Terminal.complain("the server at \(line.path) does not answer")
            throw ExitCode.failure
        }
        let text = answer.text.hasSuffix("\n") ? String(answer.text.dropLast()) : answer.text
        guard answer.isGood else {
            Terminal.complain(text)
            throw ExitCode.failure
        }
        Terminal.say(text)
    }

    private func find() throws -> OperatorLine {
        let wanted = configuration.map { Folders.absolute($0) }
        let found = OperatorLine.all.compactMap { line in
            line.ask(.who, seconds: 5).map { (line: line, configuration: $0.text) }
        }
        let meant = found.filter { wanted == nil || $0.configuration == wanted }
        if meant.count == 1 { return meant[0].line }
        if meant.isEmpty {
            let what = wanted.map { "serves \($0)" } ?? "runs"
            Terminal.complain("no server of this user \(what)")
        } else {
            Terminal.complain("several servers of this user run; say which with --server:")
            for server in meant { Terminal.complain("  \(server.configuration)") }
        }
        throw ExitCode.failure
    }
}

struct StatusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Show the processes of a running server.")
    @OptionGroup var server: RunningServer
    @Flag(help: "As JSON.") var json = false
    func run() throws { try server.ask(.status(json: json)) }
}

struct CrashesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "crashes", abstract: "List the crashes since a running server was started.")
    @OptionGroup var server: RunningServer
    @Flag(help: "As JSON, with addresses and functions.") var json = false
    func run() throws { try server.ask(.crashes(json: json)) }
}

struct ReloadCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reload",
        abstract: "Have a running server read its configuration anew.",
        discussion: "Ends when the new configuration is in force, or says why the old one stays.")
    @OptionGroup var server: RunningServer
    func run() throws { try server.ask(.reload) }
}

struct RecycleCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "recycle",
        abstract: "Have fresh processes take over in a running server: the host's, or a pool's.",
        discussion: "The old ones finish their requests; no connection is closed.")
    @OptionGroup var server: RunningServer
    @Argument(help: "The extension or the pool whose workers are meant (default: the host).")
    var name: String?
    func run() throws { try server.ask(.recycle(pool: name)) }
}

struct StopCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stop", abstract: "Stop a running server; requests in flight may finish.")
    @OptionGroup var server: RunningServer
    func run() throws { try server.ask(.stop) }
}

struct QuarantineCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "quarantine",
        abstract: "Have a running server answer 503 for an extension or a pool.")
    @OptionGroup var server: RunningServer
    @Argument(help: "The extension or the pool.") var name: String
    func run() throws { try server.ask(.quarantine(name)) }
}

struct ReleaseCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "release",
        abstract: "Have a running server forget what is held against an extension or a pool.",
        discussion: "Ends a quarantine and a demotion; a file that was taken back is tried again.")
    @OptionGroup var server: RunningServer
    @Argument(help: "The extension or the pool.") var name: String
    func run() throws { try server.ask(.release(name)) }
}
