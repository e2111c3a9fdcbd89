// The finished configuration: checked values, nothing left to parse.
// SPDX-License-Identifier: Apache-2.0

/// Everything a configuration file says, checked, defaults filled in, paths absolute.
package struct Settings: Sendable, Equatable {
    package var listeners: [Listener] = []
    /// Of hosts, probes and whatever names no other.
    package var account = Account()
    /// Whether a second host stands by.
    package var spare = true
    package var threads = Threads()
    package var limits = Limits()
    package var timeouts = Timeouts()
    package var logs = Logs()
    /// When the host is exchanged for a fresh one.
    package var recycling = Recycling()
    package var extensions: [Extension] = []
    /// The pools of the file, then one for each extension that may be isolated (`Pool.worker`).
    package var pools: [Pool] = []
    package var sites: [Site] = []
    /// Of scripts: the server's, then those of each handler `cgi` that says something of its own.
    package var scripts = [Confinement()]

    package init() {}

    /// `listen:` "127.0.0.1:8080", "[::1]:8080", "8080" (all IPv4 addresses) or "unix:/run/x.sock".
    package enum Listener: Sendable, Equatable, Hashable {
        case tcp(host: String, port: UInt16)
        case unix(path: String)
    }

    package struct Threads: Sendable, Equatable {
        /// 0 = number of processors, but no more than `max`.
        package var min: Int
        package var max: Int
        /// 0 = one per eight processors, at least one.
        package var shards: Int
        package init(min: Int = 0, max: Int = 128, shards: Int = 0) {
            (self.min, self.max, self.shards) = (min, max, shards)
        }
    }

    package struct Limits: Sendable, Equatable {
        /// Bytes of a request line and of a whole head.
        package var requestLine = 16 * 1024
        package var head = 64 * 1024
        package var fields = 200
        /// Bytes of a request body; 413 beyond.
        package var body: Int64 = 1 << 30
        /// Bytes of a body held in memory; more goes to a file in `temporaryFolder`.
        package var bodyInMemory = 64 * 1024
        package var temporaryFolder = "/tmp"
        package var connections = 16384
        /// Bytes of a response that wait in memory for a slow client, and then in a file.
        package var responseBuffer = 64 * 1024
        package var responseFile: Int64 = 64 << 20
        /// Bytes that all waiting responses together hold in memory, and that they and all request bodies
        /// together hold in files.
        package var buffers: Int64 = 256 << 20
        package var spool: Int64 = 1 << 30
        /// Bytes a second that a client has to send of a body and to take of a response; 0 = any.
        package var leastRate = 240
        package init() {}
    }

    /// Seconds.
    package struct Timeouts: Sendable, Equatable {
        package var head = 10.0
        package var body = 60.0
        package var keepAlive = 15.0
        package var send = 60.0
        /// A whole request body; the time that a response may wait for its client.
        package var receive = 3600.0
        package var response = 3600.0
        /// A request that waits for a thread which may run its handler.
        package var queue = 30.0
        /// A PENDING extension call.
        package var request = 120.0
        /// How long a leaving host or a stopping server waits for requests in flight.
        package var drain = 30.0
        package init() {}
    }

    package struct Logs: Sendable, Equatable {
        /// A file, "-" for standard output, nil for none.
        package var access: String? = "-"
        /// A file; nil is standard error.
        package var error: String?
        package init() {}
    }

    package struct Extension: Sendable, Equatable {
        package var name: String
        /// As written: a path, or a name looked for in `directories`.
        package var library: String
        /// Where a library named without a path is looked for, in order; absolute.
        package var directories: [String]
        /// Nil: what the extension declares, else not thread-safe.
        package var threadSafe: Bool?
        /// Faults within a minute after which it is called in worker processes; 0 = never.
        package var demoteAfter = 3
        /// Calls inside the host at once; nil: half of `Threads.max`.
        package var concurrency: Int?
        /// Seconds for a call inside the host; nil: `Timeouts.request`.
        package var callTimeout: Double?
        /// Whether a new file is taken without being told.
        package var watch = false
        /// Become server variables of that name.
        package var settings: [Setting]
        /// Index into `Settings.pools`: where it runs when it is not thread-safe.
        package var pool: Int
        /// What a probe has shown; nil before one.
        package var verdict: ExtensionVerdict?
        package init(
            name: String, library: String, directories: [String], threadSafe: Bool?,
            settings: [Setting],
            pool: Int
        ) {
            self.name = name
            self.library = library
            self.directories = directories
            self.threadSafe = threadSafe
            self.settings = settings
            self.pool = pool
        }
    }

    package struct Setting: Sendable, Equatable {
        package var name: String
        package var value: String
        package init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    package struct Pool: Sendable, Equatable {
        package enum Program: Sendable, Equatable {
            /// A FastCGI program with its arguments.
            case command([String])
            /// `mortise worker` with the extension of that name.
            case worker(extension: String)
        }
        package var name: String
        package var program: Program
        package var minimum = 1
        package var maximum = 4
        /// A worker ends after so many requests; 0 = never.
        package var maxRequests = 0
        /// When else.
        package var recycling = Recycling()
        /// Seconds: a worker above the minimum that had nothing to do for so long ends.
        package var idleTimeout = 300.0
        /// Seconds without a byte from the worker.
        package var activityTimeout = 60.0
        /// Seconds for a whole request.
        package var requestTimeout = 120.0
        /// Seconds a new worker may take until it accepts its connection.
        package var startTimeout = 30.0
        /// Requests that may wait for a worker, and how long; 503 beyond.
        package var queue = 1000
        package var queueTimeout = 10.0
        /// Crashes within a minute after which the pool is left alone for a while; 0 = never.
        package var rapidFails = 10
        /// The workers' folder; nil = the supervisor's.
        package var folder: String?
        package var environment: [Setting] = []
        package var confinement = Confinement()
        package init(name: String, program: Program) {
            self.name = name
            self.program = program
        }
    }

    package struct Site: Sendable, Equatable {
        package var name: String
        /// Host names, lower case, "*.example.test" for all below; empty: any host.
        package var hosts: [String] = []
        /// Absolute; nil: no files.
        package var root: String?
        package var index: [String] = ["index.html", "index.php"]
        package var handlers: [Mapping] = []
        package init(name: String) { self.name = name }
    }

    /// One line of `handlers:`.
    package struct Mapping: Sendable, Equatable {
        package enum Pattern: Sendable, Equatable {
            /// "/hello": that path and everything below it.
            case prefix(String)
            /// "*.php": an existing file with that ending; holds ".php".
            case suffix(String)
        }
        package enum Target: Sendable, Equatable {
            /// Index into `Settings.extensions`.
            case `extension`(Int)
            /// Index into `Settings.pools`.
            case pool(Int)
            /// Files below the pattern's path are CGI scripts ("/cgi-bin/*"), or files with the suffix.
            case cgi(CGI)
            case files
            case redirect(status: Int, location: String)
        }
        package var pattern: Pattern
        package var target: Target
        /// `request-body: preload`: the extension is called before the whole body is there.
        package var preloadsBody = false
        /// Line in the file, for messages.
        package var line: Int
        package init(pattern: Pattern, target: Target, line: Int) {
            self.pattern = pattern
            self.target = target
            self.line = line
        }
    }

    package struct CGI: Sendable, Equatable {
        /// Seconds for the whole request.
        package var timeout = 60.0
        /// Scripts running at the same time; 503 beyond.
        package var concurrency = 64
        package var environment: [Setting] = []
        /// The program that runs the scripts; nil: the script itself is executed.
        package var interpreter: String?
        /// Index into `Settings.scripts`.
        package var confinement = 0
        package init() {}
    }
}
