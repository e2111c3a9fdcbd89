// This program as a child of itself: what may crash, crashes there.
// SPDX-License-Identifier: Apache-2.0

import Platform

enum OwnProgram {
    struct Result {
        var output: String
        /// Nil: it did not end in time and was killed.
        var end: ChildProcess.End?

        /// The lines of the output that are not empty.
        var lines: [String] {
            output.split(whereSeparator: \.isNewline).map(String.init)
        }
    }

    /// The file this process runs, even after another one took its name (man 5 proc).
    static let path = "/proc/self/exe"

    /// Variables that a child of a command needs as the command itself does.
    private static let inherited = ["PATH", "HOME", "LANG", "TZ", "TMPDIR", "LD_LIBRARY_PATH"]

    /// Runs `mortise` with arguments, its standard output and error collected, for at most `seconds`.
    static func run(_ arguments: [String], seconds: Double) throws(SystemError) -> Result {
        let pipe = try Files.pipe()
        let reader = Descriptor(owning: pipe.read)
        let writer = Descriptor(owning: pipe.write)
        Files.setNonBlocking(reader.number)
        var start = ProcessStart(
            program: path, arguments: ["mortise"] + arguments)
        start.environment = inherited.compactMap { name in
            Environment.value(of: name).map { Array("\(name)=\($0)".utf8) }
        }
        // Swift's own crash catcher would hold a crashed child for seconds.
        start.environment.append(Array("SWIFT_BACKTRACE=enable=no".utf8))
        start.descriptors = [-1, writer.number, writer.number]
        let child = try ChildProcess(start)
        _ = consume writer
        return collect(child, reader.number, until: Instant.now.adding(seconds: seconds))
    }

    /// Reads until the child ends or the time is over; what it leaves in the pipe is read as well.
    private static func collect(
        _ child: ChildProcess, _ reader: Int32, until deadline: Instant
    ) -> Result {
        var output: [UInt8] = []
        var end: ChildProcess.End?
        while true {
            end = child.reap()
            let isOpen = drain(reader, into: &output)
            let left = deadline.pollTimeout()
            if end != nil || left == 0 { break }
            _ = Socket.wait(
                child.handle.number, for: .readable, or: isOpen ? reader : -1, for: .readable,
                milliseconds: left)
        }
        if end == nil {
            child.signalGroup(.kill)
            _ = Socket.wait(child.handle.number, for: .readable, milliseconds: 5000)
            _ = child.reap()
        }
        return Result(output: String(decoding: output, as: UTF8.self), end: end)
    }

    /// False: there is nothing more to read, or more than anybody wants to.
    private static func drain(_ reader: Int32, into output: inout [UInt8]) -> Bool {
        var chunk = [UInt8](repeating: 0, count: 16384)
        while output.count < 1 << 20 {
            switch chunk.withUnsafeMutableBytes({ Files.readPipe(reader, into: $0) }) {
            case .bytes(let count): output.append(contentsOf: chunk[..<count])
            case .wouldBlock: return true
            case .end: return false
            }
        }
        return false
    }
}
