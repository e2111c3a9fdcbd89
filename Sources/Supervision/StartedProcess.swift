// A process that has just been executed for a worker. Its owner closes the pipe.
// SPDX-License-Identifier: Apache-2.0

import Platform

/// A process that has just been executed for a worker. Its owner closes the pipe.
struct StartedProcess {
    let process: ChildProcess
    let outputPipe: Int32
    /// See `WorkerProcess.faults`.
    let faults: SharedDescriptor?
}
