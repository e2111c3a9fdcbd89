// Libraries loaded where nothing can be hurt.
// SPDX-License-Identifier: Apache-2.0

package import Control
package import Platform

/// Runs `mortise probe` or `mortise inspect-child` for each of some libraries, a few at the same time.
///
/// A library may crash, hang or leave the process in its constructors or in GetExtensionVersion: it does
/// so there. Nothing here waits: `descriptor` is readable, or `deadline` has passed, when `advance` has
/// something to do. Whoever has nothing else to do calls `finish`.
package final class ProbeRun {
    /// What a probe came to.
    package struct Result {
        package enum End: Equatable {
            case ended(ChildProcess.End)
            case tookTooLong
            case notStarted(SystemError)
        }
        package var end: End
        package var output: String
        /// What the library declares; nil when it cannot be used.
        package var answer: ProbeAnswer?
        /// The name of the copy that was loaded; nil: the file itself was.
        package var copy: String?

        /// Why it cannot be used; nil when it can.
        package var problem: String? {
            guard answer == nil else { return nil }
            return switch end {
            case .ended(.exited(let code)):
                lines.last ?? "loading it ended the process with code \(code)"
            case .ended(.killed(let signal)):
                "loading it crashed the process with signal \(signal)"
            case .tookTooLong:
                "loading it took longer than \(Int(ProbeSchedule.patience)) s: look at its constructors"
                    + " and GetExtensionVersion"
            case .notStarted(let error): "no process could be started to load it in: \(error)"
            }
        }

        /// The lines of the output that are not empty.
        package var lines: [String] { output.split(whereSeparator: \.isNewline).map(String.init) }
    }

    /// One process.
    private final class Probe {
        let child: ChildProcess
        let pipe: Descriptor
        private let answerPipe: Descriptor
        var output: [UInt8] = []
        var isOverdue = false

        init(
            _ child: ChildProcess, _ pipe: consuming Descriptor, answer: consuming Descriptor
        ) {
            self.child = child
            self.pipe = pipe
            answerPipe = answer
        }

        /// What it has said; asked once, after its end.
        func answer() -> (copy: String?, answer: ProbeAnswer?) {
            var bytes = [UInt8](repeating: 0, count: 1024)
            let read = bytes.withUnsafeMutableBytes {
                Files.readPipe(answerPipe.number, into: $0)
            }
            guard case .bytes(let count) = read else { return (nil, nil) }
            return ProbeAnswer.read(Array(bytes[..<count]))
        }
    }

    /// Bytes of output that anybody wants to read.
    private static let mostOutput = 1 << 20

    private let program: String
    private let arguments: [[String]]
    private var schedule: ProbeSchedule
    private var running: [Int: Probe] = [:]
    private let poller: Poller
    /// In the order of the libraries; complete when `isDone`.
    package private(set) var results: [Result?]

    /// - Parameters:
    ///   - program: this program, to be executed.
    ///   - command: "probe" or "inspect-child".
    ///   - copies: a folder for copies of the libraries, which are loaded instead; nil: none are made.
    ///   - libraries: their paths; each process becomes the identity when it has made its copy, before it
    ///     loads it.
    package init(
        program: String, command: String, libraries: [(path: String, identity: Identity?)],
        copies: String? = nil
    ) throws(SystemError) {
        self.program = program
        let options = copies.map { ["--copies", $0] } ?? []
        arguments = libraries.map { path, identity in
            let account = identity.map { ["--identity", $0.text] } ?? []
            return ["mortise", command] + options + account + ["--", path]
        }
        schedule = ProbeSchedule(count: libraries.count, most: 2 * Thread.processors)
        results = Array(repeating: nil, count: libraries.count)
        poller = try Poller()
    }

    deinit { for probe in running.values { probe.child.signalGroup(.kill) } }

    package var descriptor: Int32 { poller.descriptor.number }
    package var deadline: Instant { schedule.deadline }
    package var isDone: Bool { schedule.isDone }
    /// The processes that run now, which `advance` reaps.
    package var processes: Set<Int32> { Set(running.values.map(\.child.pid)) }

    /// Runs them all to their ends: at most some seconds for each.
    package func finish() {
        while true {
            advance()
            if isDone { return }
            _ = Socket.wait(descriptor, for: .readable, milliseconds: deadline.pollTimeout())
        }
    }

    /// Does what can be done now.
    package func advance() {
        while let event = poller.wait(milliseconds: 0) {
            let number = Int(event.token / 2)
            if event.token % 2 == 0 { collect(number) } else { readOutput(number) }
        }
        let now = Instant.now
        for number in schedule.overdue(now) {
            running[number]?.isOverdue = true
            // Its end is an event like any other's.
            running[number]?.child.signalGroup(.kill)
        }
        while let number = schedule.next(now) { start(number, now) }
    }

    // MARK: One probe

    private func start(_ number: Int, _ now: Instant) {
        do throws(SystemError) {
            let pipe = try Files.pipe()
            let reader = Descriptor(owning: pipe.read)
            let writer = Descriptor(owning: pipe.write)
            Files.setNonBlocking(reader.number)
            let answerPipe = try Files.pipe()
            let answerReader = Descriptor(owning: answerPipe.read)
            let answerWriter = Descriptor(owning: answerPipe.write)
            Files.setNonBlocking(answerReader.number)
            var start = ProcessStart(program: program, arguments: arguments[number])
            start.environment = ChildEnvironment.strings
            start.descriptors = [-1, writer.number, writer.number, answerWriter.number]
            let probe = Probe(try ChildProcess(start), reader, answer: answerReader)
            do throws(SystemError) {
                try poller.add(
                    probe.child.handle.number, .readable, token: UInt64(number) * 2)
                try poller.add(probe.pipe.number, .readable, token: UInt64(number) * 2 + 1)
            } catch {
                probe.child.signalGroup(.kill)
                throw error
            }
            running[number] = probe
            schedule.started(number, now)
        } catch {
            if !schedule.failed(number, now) {
                results[number] = Result(end: .notStarted(error), output: "")
            }
        }
    }

    private func readOutput(_ number: Int) {
        guard let probe = running[number] else { return }
        var chunk = [UInt8](repeating: 0, count: 16384)
        while probe.output.count < Self.mostOutput {
            switch chunk.withUnsafeMutableBytes({ Files.readPipe(probe.pipe.number, into: $0) }) {
            case .bytes(let count): probe.output.append(contentsOf: chunk[..<count])
            case .wouldBlock: return
            case .end:
                try? poller.remove(probe.pipe.number)
                return
            }
        }
        // It may write on into the full pipe, until its time is over.
        try? poller.remove(probe.pipe.number)
    }

    private func collect(_ number: Int) {
        guard let probe = running[number], probe.child.end() != nil else { return }
        readOutput(number)
        // The library may have left something running.
        probe.child.signalGroup(.kill)
        let end = probe.child.reap() ?? .killed(signal: Signal.kill.rawValue)
        running[number] = nil
        let (copy, answer) = probe.answer()
        let isKilledByOthers =
            answer == nil && !probe.isOverdue && end == .killed(signal: Signal.kill.rawValue)
        if schedule.ended(number, killedByOthers: isKilledByOthers) { return }
        results[number] = Result(
            end: probe.isOverdue ? .tookTooLong : .ended(end),
            output: String(decoding: probe.output, as: UTF8.self), answer: answer, copy: copy)
    }
}
