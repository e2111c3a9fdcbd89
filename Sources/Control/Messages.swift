// What supervisor and host say to each other.
// SPDX-License-Identifier: Apache-2.0

/// From the host to the supervisor. Descriptors travel beside the message, in the order named here.
package enum HostMessage: Sendable, Equatable {
    /// The host serves: configuration read, extensions loaded, listeners in its epoll.
    case ready
    /// The host cannot serve this configuration; it leaves.
    case failed(reason: String)
    /// One more worker of the pool, please (index into `Settings.pools`).
    case wantWorker(pool: Int)
    /// The host has closed its connection to the worker, or its copy of one that it has not used.
    case releaseWorker(id: UInt64, reason: ReleaseReason)
    /// Start a CGI script. Descriptors: standard input, standard output, standard error.
    ///
    /// The supervisor keeps the output open until the script has ended, so its end tells the host that the
    /// script has exited with code 0. Of any other end it tells the host first, and lets go of the output
    /// when the host answers `endScript`.
    case startScript(id: UInt64, Script)
    /// The request is over: whatever is left of the script's process group ends. Also the answer to
    /// `scriptFailed` and `scriptEnded`.
    case endScript(id: UInt64)
    /// All idle connections have been handed over and no request is in flight; the host leaves.
    case drained
}

package enum ReleaseReason: UInt8, Sendable, Equatable, CaseIterable {
    /// Fit for another host (a reload) or for another time.
    case idle
    /// Reached max-requests: end it, its successor may start.
    case served
    /// Idle for longer than idle-timeout: end it.
    case surplus
    /// Like `idle`; the host has sent nothing over the connection it was given, and has not ended it: the
    /// next host may get that connection. (Some programs fall over one that ends without a request.)
    case untouched
    /// Broke the protocol, overstayed a deadline, or has a request nobody waits for: kill it.
    case broken
}

/// How a host may use the worker it is given.
package struct WorkerTerms: Sendable, Equatable {
    /// The path of the Unix socket that the worker listens on.
    package var path: String
    /// The worker answers a `wantWorker` of this host; otherwise it comes unasked.
    package var isAsked: Bool
    /// The program has ended by itself before: each request gets a connection of its own.
    package var endsByItself: Bool

    package init(path: String, isAsked: Bool, endsByItself: Bool) {
        self.path = path
        self.isAsked = isAsked
        self.endsByItself = endsByItself
    }
}

/// How a process ended.
package enum ProcessEnd: Sendable, Equatable, CustomStringConvertible {
    case exited(code: Int32)
    case killed(signal: Int32)

    package var description: String {
        switch self {
        case .exited(let code): "exited with code \(code)"
        case .killed(let signal): "was killed by signal \(signal)"
        }
    }
}

/// From the supervisor to the host.
package enum SupervisorMessage: Sendable, Equatable {
    /// The first message. Descriptors: the configuration's text, then the listeners in the order of
    /// `Settings.listeners`.
    case start(configurationName: String)
    /// A worker of the pool. Descriptor: a connection that it has accepted and that nobody has used yet.
    ///
    /// Whoever finds that connection closed, or got no descriptor, connects to the worker's socket itself.
    case worker(pool: Int, id: UInt64, pid: Int32, WorkerTerms)
    /// Workers that were asked for cannot be had now: the program is missing, fails, or backs off. It
    /// answers `count` of the host's `wantWorker` messages.
    case noWorker(pool: Int, count: Int, reason: String, retryAfterSeconds: Int)
    /// A foreign program has ended by itself while the host held it, and a new process listens on the
    /// same socket. A connection that the old process had not accepted is answered by the new one.
    case workerRestarted(pool: Int, id: UInt64, pid: Int32, after: ProcessEnd)
    /// A worker has died; its connection is at its end.
    case workerEnded(id: UInt64, ProcessEnd)
    /// The script could not be started; errno.
    case scriptFailed(id: UInt64, code: Int32)
    /// The script has ended otherwise than by exiting with code 0.
    case scriptEnded(id: UInt64, ProcessEnd)
    /// A newer host serves: stop accepting, hand idle connections over, finish requests, leave.
    /// Descriptor: a MessageSocket to the newer host.
    case handOver
    /// Connections of an older host arrive here. Descriptor: a MessageSocket from the older host.
    case takeOver
    /// The server stops: stop accepting, finish requests, leave.
    case drain
    /// Open the log files anew (SIGUSR1).
    case reopenLogs
    /// A host that leaves waits for a worker of the pool and there may be no more of them: give one back,
    /// as soon as one is free.
    case returnWorker(pool: Int)
}
