// One running script: its output becomes the answer, its errors the log, its end the end.
// SPDX-License-Identifier: Apache-2.0

import Configuration
import Control
import Exchange
import Platform

/// Reads a script's output and errors until the request is over.
struct CGIConversation {
    /// Milliseconds.
    private static let briefWait: Int32 = 5
    /// Seconds between two questions whether the client is still there.
    private static let clientInterval = 0.1
    /// Bytes of standard error that a script may write before they are read slowly.
    private static let freeErrors = 4 << 20
    /// Seconds between two reads of it beyond that: at most 1.3 MB in a second.
    private static let errorPause = 0.05

    private let exchange: Exchange
    private let script: ScriptRun
    private let path: [UInt8]
    private let isNonParsed: Bool
    private let handler: CGIHandler
    private var deadline: Instant
    /// When the clock was last read, exactly.
    private var now: Instant
    private var nextClientCheck: Instant
    /// Standard error is not read before then: whoever writes a lot of it waits in his pipe.
    private var errorsFrom = Instant(nanoseconds: 0)
    private var errorBytes = 0
    /// The script has ended: nothing of it needs to be ended any more.
    private var hasOutputEnded = false

    private var head = ResponseHead()
    private var collector = HeadCollector()
    private var errors = ErrorLines()
    private var chunks = ChunkedDecoder()
    private var isHeadRead = false
    private var outcome = RelayOutcome.answered
    private var isOver = false

    init(_ exchange: Exchange, _ script: ScriptRun, program: [UInt8], handler: CGIHandler) {
        self.exchange = exchange
        self.script = script
        path = program
        self.handler = handler
        isNonParsed = CGIHandler.isNonParsed(program)
        now = .now
        deadline = now.adding(seconds: handler.settings.timeout)
        nextClientCheck = now.adding(seconds: Self.clientInterval)
    }

    private var program: String { String(decoding: path, as: UTF8.self) }

    /// Neither descriptor needs to be non-blocking: it is read when it is readable, and by nobody else.
    mutating func run(output: consuming Descriptor, errors: Int32) -> RelayOutcome {
        let output = output.take()
        defer { closeDescriptor(output) }
        withUnsafeTemporaryAllocation(byteCount: 64 * 1024, alignment: 16) { room in
            // Most scripts are done so soon that one wake-up at their end serves for all they wrote.
            let hangUpAlone = Socket.Readiness(rawValue: 0)
            var ready = Socket.wait(
                output, for: hangUpAlone, or: errors, for: .readable, milliseconds: Self.briefWait)
            var hasErrors = !ready.1.isNothing
            while true {
                if hasErrors { readErrors(errors, room) }
                if !ready.0.isNothing { read(output, room, isLast: ready.0.contains(.hangUp)) }
                if !isOver { checkDeadline() }
                if isOver { break }
                // poll(2) passes over a negative descriptor.
                ready = Socket.wait(
                    output, for: .readable, or: now < errorsFrom ? -1 : errors, for: .readable,
                    milliseconds: patience)
                hasErrors = !ready.1.isNothing
            }
            script.end(outputHasEnded: hasOutputEnded)
            if hasErrors || !hasOutputEnded || errorBytes == Self.freeErrors {
                readLastErrors(errors, room)
            }
        }
        let path = path
        exchange.logRest(&self.errors, of: .script(path), handler.errorLines, at: .now)
        return outcome
    }

    /// Milliseconds until there is something to do.
    private var patience: Int32 {
        var next = min(deadline, nextClientCheck)
        if now < errorsFrom { next = min(next, errorsFrom) }
        let left = next.seconds(since: now)
        return Int32(max(0, left * 1000).rounded(.up))
    }

    /// `isLast`: no writer is left, so that fewer bytes than there is room for are the last.
    private mutating func read(
        _ number: Int32, _ room: UnsafeMutableRawBufferPointer, isLast: Bool
    ) {
        switch Files.readPipe(number, into: room) {
        case .bytes(let count):
            now = .now
            output(room.prefix(bytes: count).span)
            // The time a slow client takes for its bytes is not the script's.
            let waited = Instant.now.seconds(since: now)
            if waited > 0.01 { deadline = deadline.adding(seconds: waited) }
            if isLast, !isOver, count < room.count { outputEnded() }
        case .end: outputEnded()
        case .wouldBlock: break
        }
    }

    /// At most so much at a time that the output is not kept waiting.
    private mutating func readErrors(_ number: Int32, _ room: UnsafeMutableRawBufferPointer) {
        guard case .bytes(let count) = Files.readPipe(number, into: room) else { return }
        now = .now
        let path = path
        exchange.logErrors(
            &errors, of: .script(path), room.prefix(bytes: count).span, handler.errorLines, at: now)
        errorBytes = min(errorBytes + count, Self.freeErrors)
        if errorBytes == Self.freeErrors { errorsFrom = now.adding(seconds: Self.errorPause) }
    }

    /// What is in the pipe, and no more: somebody who writes without end is not waited for.
    private mutating func readLastErrors(
        _ number: Int32, _ room: UnsafeMutableRawBufferPointer
    ) {
        for _ in 0..<4
        where Socket.wait(number, for: .readable, milliseconds: 0).contains(.readable) {
            readErrors(number, room)
        }
    }

    /// After each step: a script that keeps writing ends in time like a silent one.
    private mutating func checkDeadline() {
        now = .now
        if now >= deadline {
            return fail(504, "\(program) did not finish within \(handler.settings.timeout) s")
        }
        guard now >= nextClientCheck else { return }
        nextClientCheck = now.adding(seconds: Self.clientInterval)
        if !exchange.isConnected { abandon() }
    }

    private mutating func abandon() {
        exchange.abandon()
        outcome = .answered
        isOver = true
    }

    private mutating func fail(_ status: Int, _ reason: String) {
        handler.failures.fail(
            exchange, status: status, reason: reason, retryAfter: status == 503 ? 1 : nil)
        outcome = .answered
        isOver = true
    }

    /// Bytes of the script's output: the head, then the body.
    private mutating func output(_ bytes: Span<UInt8>) {
        if isHeadRead { return write(bytes) }
        do throws(ResponseHeadError) {
            let rules: ResponseHead.Rules = isNonParsed ? .fromExtension : .fromGateway
            guard let consumed = try collector.append(bytes, rules, into: &head) else { return }
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

    /// The script has ended, and nobody holds its output any more: how it ended is known by now.
    private mutating func outputEnded() {
        hasOutputEnded = true
        let ending: ProcessEnd
        switch script.state {
        case .started: ending = .exited(code: 0)
        case .ended(let end): ending = end
        case .failed(let code):
            return failStart(SystemError("execve", code: code))
        }
        guard isHeadRead else {
            return fail(502, "\(program): \(ResponseHeadError.noBlankLine); it \(ending)")
        }
        if case .killed = ending { return fail(502, "\(program) did not finish; it \(ending)") }
        if head.isChunked, !chunks.isDone {
            return fail(502, "\(program): its last chunk is missing")
        }
        if ending != .exited(code: 0) {
            handler.failures.log(.notice, "\(program); it \(ending)", of: exchange)
        }
        if outcome == .answered { exchange.finish() }
        isOver = true
    }

    private mutating func failStart(_ error: SystemError) {
        let isShortage = error.isShortage || error.wouldBlock
        fail(
            isShortage ? 503 : 500,
            "\(program) cannot be started: \(Self.remedy(error) ?? "\(error)")")
    }

    /// What the author of a script that cannot be executed may look at (man 2 execve).
    private static func remedy(_ error: SystemError) -> String? {
        switch error.name {
        case .noSuchFile:
            "it, or the program that its first line names behind \"#!\", does not exist (in a file with"
                + " Windows line ends that name has a carriage return)"
        case .accessDenied:
            "it, or the program that its first line names behind \"#!\", may not be executed"
        case .noProgram: "it is no program, and its first line names none, such as \"#!/bin/sh\""
        case nil where error.wouldBlock:
            "there are as many processes as the system, the user or the supervisor allows"
        default: nil
        }
    }
}

/// The first bytes of memory that something was read into.
extension UnsafeMutableRawBufferPointer {
    fileprivate func prefix(bytes count: Int) -> UnsafeBufferPointer<UInt8> {
        UnsafeBufferPointer(rebasing: assumingMemoryBound(to: UInt8.self)[..<count])
    }
}
