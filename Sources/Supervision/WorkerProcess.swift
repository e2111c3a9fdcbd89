// One worker process with what the supervisor holds of it.
// SPDX-License-Identifier: Apache-2.0

import Platform

/// A worker: its socket, and the process that answers there. When a process has ended by itself another may
/// take its place at the same socket, so that a connection nobody has accepted yet is not lost.
final class WorkerProcess {
    /// Where it accepts connections; also in the child, as its descriptor 0. Readable while a connection
    /// waits there, so it tells whether the worker has accepted.
    let listener: Descriptor
    let path: String
    private(set) var process: ChildProcess
    /// The read end of its standard output and error; -1 when it is closed.
    private(set) var outputPipe: Int32
    /// Made for the next host that gets this worker; kept beside that host's copy, so that one which it
    /// did not use can go to another.
    var connection: SharedDescriptor?
    var output = WorkerOutput()
    /// What our own worker writes down of its faults (`FaultPage`); nil for a foreign program.
    let faults: SharedDescriptor?
    let started = Instant.now

    init(_ started: StartedProcess, listener: consuming Descriptor, path: String) {
        process = started.process
        outputPipe = started.outputPipe
        faults = started.faults
        self.listener = listener
        self.path = path
    }

    deinit { closeOutput() }

    /// Another process answers at the socket from now on.
    func replace(by started: StartedProcess) {
        closeOutput()
        process = started.process
        outputPipe = started.outputPipe
    }

    func closeOutput() {
        if outputPipe >= 0 { closeDescriptor(outputPipe) }
        outputPipe = -1
    }

    /// Makes a new connection, in place of the one there was; it waits in the listener's queue.
    func connect() throws(SystemError) {
        connection = nil
        connection = SharedDescriptor(try Socket.connect(.unix(path), milliseconds: 10))
    }

    /// No connection waits: the worker has taken what was made for it.
    var hasAccepted: Bool {
        Socket.wait(listener.number, for: .readable, milliseconds: 0).isEmpty
    }
}
