// What supervisor and host say to each other.
// SPDX-License-Identifier: Apache-2.0

/// From the host to the supervisor. Descriptors travel beside the message, in the order named here.
package enum HostMessage: Sendable, Equatable {
    /// The host could serve: configuration read, extensions loaded. It accepts nothing before `serve`.
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
    /// A client's connection between two requests, for a newer host. Descriptor: the connection. The number
    /// is the host's own; `handedOver` answers it, always, unless the host dies first.
    ///
    /// Only after `leave`. The host keeps its copy until the answer and does not touch it: it has taken the
    /// connection out of its poller, has read nothing beyond the last request, and has sent every byte of
    /// the last answer. At most `mostHandOvers` at a time; the next ones after an answer.
    case handOver(id: UInt64)
    /// Clients' connections between two requests of a host that dies, for whoever serves next. Descriptors: one to
    /// `MessageSocket.mostDescriptors` connections. Only after `faulted`; nothing answers it, because the host
    /// does not touch them again.
    case bequeathed
    /// The answer to `adopt`. `accepted`: the host serves the connection from now on. It says so before it
    /// reads the connection's first byte, so that a host that dies before that has lost nothing of it.
    /// Otherwise it has closed its copy unread: it is full, or had no descriptor left.
    case adopted(id: UInt64, accepted: Bool)
    /// What the host writes to its access log from now on goes there. Descriptor: the log's open file. When the
    /// host has died, the supervisor writes there what the host had not written (`GatheredLines`).
    case accessLog
    /// Something has gone wrong of which this host dies; its page of faults (`FaultPage`) says what. It
    /// serves nobody from now on.
    case faulted
    /// A call of an extension (index into `Settings.extensions`) threw, or wanted to end the process or the
    /// thread. It got 500, or was cut, and the host goes on; of a wanted end (not of what was thrown) the extension
    /// holds for ever what it held.
    case callFaulted(extension: Int, CallEnd, request: String)
    /// A call of an extension did not come back within so many seconds. It got 504, or was cut, and its thread is
    /// lost. `isTooMuch`: so many are lost that the host should be replaced, and without that extension in it.
    case callOverdue(extension: Int, request: String, seconds: Double, isTooMuch: Bool)
    /// A pool on trial (`quarantine`; index into `Settings.pools`) has answered a request.
    case healed(pool: Int)
    /// Every hand-over has been answered, no connection is left and no request is in flight: the host ends
    /// by itself right after this.
    case drained

    /// How many hand-overs of one host may wait for their answers.
    package static let mostHandOvers = 256
}

/// How a call of an extension ended that did worse than fail.
package enum CallEnd: Sendable, Equatable {
    case threw
    case wantedExit(code: Int32)
    case wantedThreadExit
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
    /// What a probe has shown of an extension (index into `Settings.extensions`): its file, the copy of it that
    /// is to be loaded, and whether the
    /// host may load it; `problem` says why nobody may. Sent before `start`, one for each extension.
    case verdict(
        extension: Int, path: String, copy: String?, isInProcess: Bool, problem: String?)
    /// Serve this. Descriptors: the configuration's text, the host's `HealthPage`, its `GatheredLines`, its page
    /// of faults (`FaultPage`), then the listeners in the order of `Settings.listeners`. When they are more than `startBatch` the rest follows
    /// in further ones; the first with fewer is the last, and only `verdict` comes before it.
    /// `isReplacement`: a host has served the same already, so this one serves too, whatever has gone since.
    case start(configurationName: String, isReplacement: Bool)
    /// Accept connections from now on. Only after `ready`; until then the host stands by, for a reload to be
    /// finished or for the host that serves to die.
    case serve
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
    /// A newer host serves: stop accepting, hand over (`handOver`) each connection that is or becomes idle,
    /// finish requests, say `drained` and end. The configuration's drain time is all there is; then the host
    /// is killed.
    case leave
    /// Take a connection of a leaving host. Descriptor: the connection, non-blocking, between two requests;
    /// bytes of the next request may wait in it, so its first readiness must not be missed. Answer `adopted`,
    /// always, also without the descriptor. It may come to a host that has been told to leave meanwhile:
    /// that one takes it all the same, and hands it over in turn.
    case adopt(id: UInt64)
    /// The answer to `handOver`. `accepted`: a newer host serves the connection; close the copy, without a
    /// shutdown(2), which would reach the other copy too. Otherwise nobody has touched it: serve it on, answer
    /// its next request with `Connection: close`, do not close it before its keep-alive time is over, and do
    /// not offer it again.
    case handedOver(id: UInt64, accepted: Bool)
    /// The server stops: stop accepting, close idle connections, finish requests, say `drained` and end. It
    /// may come after `leave`; hand-overs under way are still answered.
    case drain
    /// Open the log files anew (SIGUSR1).
    case reopenLogs
    /// The pool's workers crash: give back those that are idle and answer 503 for so many seconds. Then let one
    /// request through: when it is answered say `healed` and go on as before, else wait for the next message.
    case quarantine(pool: Int, seconds: Int, reason: String)
    /// The quarantine is over.
    case release(pool: Int)
    /// A host that leaves waits for a worker of the pool and there may be no more of them: give one back,
    /// as soon as one is free.
    case returnWorker(pool: Int)
    /// Another worker has come for this one: give it back as `served` when it has no request.
    case retireWorker(pool: Int, id: UInt64)
}
