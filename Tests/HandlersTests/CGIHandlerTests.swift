// CGI scripts, real ones, and how each of their ends is answered.
// SPDX-License-Identifier: Apache-2.0

import Configuration
import Control
import Exchange
import ExtensionHost
import Handlers
import Platform
import Synchronization
import Testing
import TestSupport

/// Starts /bin/sh with a text of the test's, whatever script was asked for.
private final class ShellStarter: ScriptStarter {
    private let text: String
    let started = Mutex<Script?>(nil)
    private let endFlag = Atomic<Bool>(false)
    var isEnded: Bool { endFlag.load(ordering: .relaxed) }

    init(_ text: String) { self.text = text }

    func start(_ script: Script, stdin: Int32, stdout: Int32, stderr: Int32) -> ScriptRun? {
        started.withLock { $0 = script }
        let run = ScriptRun(id: 1) { _, _ in self.endFlag.store(true, ordering: .relaxed) }
        var start = ProcessStart(program: "/bin/sh", arguments: ["sh", "-c", text])
        start.environment = script.environment
        start.folder = "/"
        start.descriptors = [stdin, stdout, stderr]
        start.endsWithParent = false
        do {
            let child = try ChildProcess(start)
            let output = Self.duplicate(stdout)
            try Thread.start(named: "starter") { self.watch(child, run, output) }
        } catch {
            return nil
        }
        return run
    }

    private static func duplicate(_ number: Int32) -> Int32 {
        let original = Descriptor(owning: number)
        var copy: Int32 = -1
        do { copy = try original.duplicate().take() } catch { Issue.record(error) }
        _ = original.take()
        return copy
    }

    private func watch(_ child: ChildProcess, _ run: ScriptRun, _ output: Int32) {
        while Socket.wait(child.handle.number, for: .readable, milliseconds: 5).isEmpty {
            if isEnded { child.signalGroup(.kill) }
        }
        switch child.end() {
        case .exited(0), nil: break
        case .exited(let code): run.set(.ended(.exited(code: code)))
        case .killed(let signal): run.set(.ended(.killed(signal: signal)))
        }
        closeDescriptor(output)
        for _ in 0..<12_000 where !isEnded { Thread.sleep(milliseconds: 5) }
        child.signalGroup(.kill)
        _ = child.reap()
    }
}

/// A starter that starts nothing.
private struct NoStarter: ScriptStarter {
    var code: Int32?
    // The output ends with the caller's own descriptor.
    func start(_ script: Script, stdin: Int32, stdout: Int32, stderr: Int32) -> ScriptRun? {
        guard let code else { return nil }
        let run = ScriptRun(id: 1) { _, _ in }
        run.set(.failed(code: code))
        return run
    }
}

private func answer(
    _ client: Client, _ starter: any ScriptStarter, program: String = "/srv/cgi-bin/a.cgi",
    _ change: (inout Settings.CGI) -> Void = { _ in }
) -> (outcome: RelayOutcome, response: HTTPResponse) {
    var settings = Settings.CGI()
    change(&settings)
    client.exchange.route.scriptFilename = Array(program.utf8)
    let outcome = CGIHandler(settings, starter: starter).run(client.exchange)
    return (outcome, client.response())
}

@Suite(.timeLimit(.minutes(5))) struct CGIHandlerTests {
    let get = "GET /cgi-bin/a.cgi?x+y HTTP/1.1\r\nHost: a\r\nProxy: evil\r\nX-One: 1\r\n\r\n"

    @Test(arguments: [false, true]) func scriptReadsTheBodyAndAnswers(spooled: Bool) throws {
        let body = (0..<100_000).map { UInt8($0 % 251) }
        let client = try Client(
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n", body: body,
            spooled: spooled)
        let starter = ShellStarter("echo 'Status: 201 Made'; echo 'Content-Type: a/b'; echo; cat")
        let (outcome, response) = answer(client, starter)
        #expect(outcome == .answered && response.status == 201 && !response.isCut)
        #expect(response.body == body)
        #expect(starter.isEnded)
    }

    @Test func environmentIsBuiltFromZero() throws {
        let starter = ShellStarter("echo 'X: y'; echo; echo \"$0 $# $QUERY_STRING $HTTP_X_ONE\"")
        let (_, response) = answer(try Client(get), starter) {
            $0.environment = [Settings.Setting(name: "OWN", value: "yes")]
            $0.interpreter = "/usr/bin/perl"
        }
        #expect(response.text == "sh 0 x+y 1\n")
        let script = try #require(starter.started.withLock { $0 })
        #expect(script.program == "/usr/bin/perl" && script.folder == "/srv/cgi-bin")
        #expect(script.arguments == ["/usr/bin/perl", "/srv/cgi-bin/a.cgi"])
        let names = script.environment.map {
            String(decoding: $0.prefix { $0 != UInt8(ascii: "=") }, as: UTF8.self)
        }
        #expect(Set(names).isSuperset(of: ["OWN", "PATH", "GATEWAY_INTERFACE", "SCRIPT_FILENAME"]))
        #expect(!names.contains("HTTP_PROXY") && !names.contains("HOME"))
    }

    @Test(
        arguments: [
            ("exit 3", 502, false), ("kill -9 $$", 502, false), ("echo no head", 502, false),
            ("printf 'X: y\\n'", 502, false), ("printf 'Status: 99\\n\\n'", 502, false),
            ("printf 'X: y\\n\\npart'; kill -9 $$", 200, true),
            ("printf 'Content-Length: 9\\n\\npart'", 200, true),
            ("printf 'X: y\\n\\nwhole'; exit 3", 200, false), ("sleep 20", 504, false),
            ("printf 'X: y\\n\\npart'; sleep 20", 200, true),
            // Somebody else holds the output when the script has ended.
            ("printf 'X: y\\n\\nwhole'; sleep 20 &", 200, false),
            ("printf 'X: y\\n\\n'; head -c 3000000 /dev/zero >&2; echo whole", 200, false),
        ])
    func endOfAScriptIsAnswered(text: String, status: Int, isCut: Bool) throws {
        let (outcome, response) = answer(try Client(get), ShellStarter(text)) {
            $0.timeout = text.hasSuffix("sleep 20") ? 2 : 30
        }
        #expect(outcome == .answered && response.status == status && response.isCut == isCut)
        if text.contains("whole") { #expect(response.text.hasPrefix("whole")) }
    }

    @Test func scriptThatCannotRunIsNeverSilence() throws {
        #expect(answer(try Client(get), NoStarter(code: 8)).response.status == 500)
        let crowded = answer(try Client(get), NoStarter(code: SystemError.tryAgain)).response
        #expect(crowded.status == 503 && crowded.value("Retry-After") != nil)
        let nobody = answer(try Client(get), NoStarter(code: nil)).response
        #expect(nobody.status == 503 && nobody.value("Retry-After") != nil)
        let full = answer(try Client(get), ShellStarter("exit")) { $0.concurrency = 0 }.response
        #expect(full.status == 503 && full.value("Retry-After") != nil)
    }

    @Test(
        arguments: [
            (2, "does not exist"), (8, "such as \"#!/bin/sh\""), (13, "may not be executed"),
        ])
    func lineAboutAScriptThatCannotRunSaysWhatToLookAt(code: Int32, words: String) throws {
        let folder = try TemporaryFolder()
        let client = try Client(get, log: "\(folder.path)/log")
        _ = CGIHandler(Settings.CGI(), starter: NoStarter(code: code)).run(client.exchange)
        #expect(client.response().status == 500)
        #expect(try folder.read("log").contains(words))
    }

    @Test func interpreterIsLookedForAlongThePathAndNamedWhenItIsMissing() throws {
        let starter = ShellStarter("echo 'X: y'; echo")
        #expect(answer(try Client(get), starter) { $0.interpreter = "sh" }.response.status == 200)
        let program = try #require(starter.started.withLock { $0 }).program
        #expect(program.hasPrefix("/") && program.hasSuffix("/sh"))
        let folder = try TemporaryFolder()
        var settings = Settings.CGI()
        settings.interpreter = "no-such-interpreter"
        let client = try Client(get, log: "\(folder.path)/log")
        _ = CGIHandler(settings, starter: starter).run(client.exchange)
        #expect(client.response().status == 503)
        #expect(try folder.read("log").contains("interpreter no-such-interpreter was not found"))
    }

    @Test func scriptMayWriteTheWholeResponseItself() throws {
        let text =
            "printf 'HTTP/1.1 203 Mine\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n5\\r\\nhello\\r\\n'; "
        let whole = answer(
            try Client(get), ShellStarter(text + "printf '0\\r\\n\\r\\n'"), program: "/c/nph-a.cgi")
        #expect(whole.response.status == 203 && whole.response.text == "hello")
        #expect(!whole.response.isCut)
        let cut = answer(try Client(get), ShellStarter(text), program: "/c/nph-a.cgi")
        #expect(cut.response.isCut)
        let parsed = answer(
            try Client(get), ShellStarter("printf 'X: y\\n\\n'"), program: "/c/nph-a.cgi")
        #expect(parsed.response.status == 502)
    }

    @Test func localRedirectIsTheCallersToFollow() throws {
        let (outcome, response) = answer(
            try Client(get), ShellStarter("printf 'Location: /b?c\\n\\n'"))
        #expect(outcome == .redirect(path: Array("/b?c".utf8)) && response.status == 0)
    }

    @Test func scriptEndsWhenTheClientLeavesAndNothingIsSent() throws {
        for text in ["sleep 20", "while :; do echo e >&2; done"] {
            let client = try Client(get)
            client.leave()
            let starter = ShellStarter(text)
            let (_, response) = answer(client, starter)
            #expect(starter.isEnded && response.status == 0)
        }
    }

    /// The script can write no more than is read: after the first few MiB that is little.
    @Test func endlessStandardErrorIsReadSlowlyAndEndsInTime() throws {
        let folder = try TemporaryFolder()
        let script =
            "dd if=/dev/zero bs=64k count=512 >&2 2>\(folder.path)/count"
        let (_, response) = answer(try Client(get), ShellStarter(script)) { $0.timeout = 4 }
        #expect(response.status == 504)
        // 32 MiB in four seconds would be easy; it was killed before it could count them.
        #expect(try folder.read("count") == "")
    }

    @Test func failuresOfOneHandlerAreLoggedNowAndThen() throws {
        let folder = try TemporaryFolder()
        let log = "\(folder.path)/log"
        var settings = Settings.CGI()
        settings.concurrency = 0
        let handler = CGIHandler(settings, starter: ShellStarter("exit"))
        for _ in 0..<200 {
            let client = try Client(get, log: log)
            #expect(handler.run(client.exchange) == .answered)
            #expect(client.response().status == 503)
        }
        let lines = try folder.read("log").split(separator: "\n")
        #expect((20..<100).contains(lines.count), "\(lines.count)")
    }
}
