// One running script: its output becomes the answer, its errors the log, its end the end.
// SPDX-License-Identifier: Apache-2.0

import Control
import Exchange
import Platform

/// Reads a script's output and errors until the request is over.
struct CGIConversation {
    /// Seconds of output after the script's exit: somebody it has started may hold the pipe.
    private static let lingering = 1.0

    private let exchange: HTTPExchange
    private let script: ScriptRun
    private let program: String
    private let isNonParsed: Bool
    private let timeout: Double
    private var deadline: Instant
    /// When to stop although the pipe is open.
    private var outputDeadline = Instant.never

    private var head = ResponseHead()
    private var collector = HeadCollector()
    private var errors = ErrorLines()
    private var chunks = ChunkedDecoder()
    private var isHeadRead = false
    private var outcome = RelayOutcome.answered
    private var isOver = false

    init(_ exchange: HTTPExchange, _ script: ScriptRun, program: [UInt8], timeout: Double) {
        self.exchange = exchange
        self.script = script
        self.program = String(decoding: program, as: UTF8.self)
        self.timeout = timeout
        isNonParsed = CGIHandler.isNonParsed(program)
        deadline = Instant.now.adding(seconds: timeout)
    }

    mutating func run(output: consuming Descriptor, errors: consuming Descriptor) -> RelayOutcome {
        var room = [UInt8](repeating: 0, count: 64 * 1024)
        var hasErrors = true
        while !isOver {
            let ready = Socket.wait(
                output.number, for: .readable, or: hasErrors ? errors.number : -1, for: .readable,
                milliseconds: min(200, deadline.pollTimeout()))
            if !ready.1.isEmpty { hasErrors = drainErrors(errors.number, &room) }
            if !ready.0.isEmpty { read(output.number, &room) }
            if !isOver { look() }
        }
        script.end()
        if hasErrors { _ = drainErrors(errors.number, &room) }
        exchange.logRest(&self.errors, of: pid, at: .now)
        return outcome
    }

    /// The script's process while it runs.
    private var pid: Int32? {
        if case .running(let pid) = script.state { return pid }
        return nil
    }

    private mutating func read(_ number: Int32, _ room: inout [UInt8]) {
        switch room.withUnsafeMutableBytes({ Files.readPipe(number, into: $0) }) {
        case .bytes(let count):
            let arrived = Instant.now
            take(room.span.extracting(first: count))
            // The time a slow client takes for its bytes is not the script's.
            let waited = Instant.now.seconds(since: arrived)
            if waited > 0.01 { deadline = deadline.adding(seconds: waited) }
        case .end: outputEnded()
        case .wouldBlock: break
        }
    }

    /// At most so much at a time that the output is not kept waiting. False at the end.
    private mutating func drainErrors(_ number: Int32, _ room: inout [UInt8]) -> Bool {
        switch room.withUnsafeMutableBytes({ Files.readPipe(number, into: $0) }) {
        case .bytes(let count):
            exchange.logErrors(
                &errors, of: pid, room.span.extracting(first: count), at: .now)
            return true
        case .end: return false
        case .wouldBlock: return true
        }
    }

    /// Looks at the deadlines, the script and the client.
    private mutating func look() {
        let now = Instant.now
        if now >= deadline { return fail(504, "\(program) did not finish within \(timeout) s") }
        if now >= outputDeadline { return outputEnded() }
        switch script.state {
        case .failed(let code):
            fail(500, "\(program) cannot be started: \(SystemError("execve", code: code))")
        case .ended where outputDeadline == .never:
            outputDeadline = now.adding(seconds: Self.lingering)
        default:
            if !exchange.isConnected { abandon() }
        }
    }

    private mutating func abandon() {
        exchange.refuse(status: 499)
        outcome = .answered
        isOver = true
    }

    private mutating func fail(_ status: Int, _ reason: String) {
        exchange.fail(status: status, reason: reason)
        outcome = .answered
        isOver = true
    }

    private mutating func take(_ bytes: Span<UInt8>) {
        if isHeadRead { return write(bytes) }
        do throws(ResponseHeadError) {
            let rules: ResponseHead.Rules = isNonParsed ? .fromExtension : .fromGateway
            guard let consumed = try collector.take(bytes, rules, into: &head) else { return }
            isHeadRead = true
            begin()
            write(bytes.extracting(consumed..<bytes.count))
        } catch {
            fail(502, "\(program): \(error)")
        }
    }

    private mutating func begin() {
        if isNonParsed, !head.hasStatus {
            return fail(502, "\(program) is to write a whole response and wrote no status line")
        }
        if !isNonParsed, head.isLocalRedirect {
            outcome = .redirect(path: head.location)
        } else if !exchange.sendHead(head) {
            abandon()
        }
    }

    private mutating func write(_ bytes: Span<UInt8>) {
        guard !isOver, outcome == .answered, bytes.count > 0 else { return }
        if head.isChunked { return writeChunks(bytes) }
        if !bytes.withUnsafeBytes({ exchange.write($0) }) { abandon() }
    }

    /// The chunks of a script that writes HTTP itself: decoded here and framed anew.
    private mutating func writeChunks(_ bytes: Span<UInt8>) {
        var cursor = 0
        do throws(ChunkedDecoder.Malformed) {
            while !isOver, case .data(let range) = try chunks.next(bytes, &cursor) {
                let isSent = bytes.extracting(range).withUnsafeBytes { exchange.write($0) }
                if !isSent { abandon() }
            }
        } catch {
            fail(502, "\(program): \(error.reason)")
        }
    }

    /// The script has closed its output, or has ended and left it open to others.
    private mutating func outputEnded() {
        let ending = waitForEnd()
        if case .failed(let code) = script.state {
            return fail(500, "\(program) cannot be started: \(SystemError("execve", code: code))")
        }
        let how = ending.map { "; it \($0)" } ?? ""
        guard isHeadRead else {
            return fail(502, "\(program): \(ResponseHeadError.noBlankLine)\(how)")
        }
        if case .killed = ending { return fail(502, "\(program) did not finish\(how)") }
        if head.isChunked, !chunks.isDone {
            return fail(502, "\(program): its last chunk is missing")
        }
        if case .exited(let code) = ending, code != 0 { exchange.log(.notice, "\(program)\(how)") }
        if outcome == .answered { exchange.finish() }
        isOver = true
    }

    /// How the script ended: only the supervisor knows, and it says so moments after the last byte.
    private func waitForEnd() -> ProcessEnd? {
        for _ in 0..<100 {
            switch script.state {
            case .ended(let ending): return ending
            case .failed: return nil
            case .starting, .running: Thread.sleep(milliseconds: 1)
            }
        }
        return nil
    }
}
