// A FastCGI server around one extension: `mortise worker FILE.so`.
// SPDX-License-Identifier: Apache-2.0

package import ExtensionHost
package import Platform

/// Serves FastCGI on a listening socket, normally descriptor 0 (FastCGI §2.2): one connection at a time,
/// one request at a time, so that the extension may be as little thread-safe as it likes.
///
/// A Mortise host sends the client's head along (`MORTISE_HEAD`), and the extension sees what it would see
/// in the host. Behind another web server the head is rebuilt from the CGI variables.
package struct FastCGIWorker {
    package struct Options: Sendable {
        /// Settings the extension sees as server variables, beside those of `MORTISE_SETTINGS`.
        package var settings: [(name: String, value: String)] = []
        /// Seconds after which a PENDING request is ended with 504.
        package var requestTimeout = 300.0
        /// What is loaded in the place of the extension's file; nil: the file itself.
        package var copy: String?
        package init() {}
    }

    private let loaded: LoadedExtension
    private let options: Options
    private let shutdown: Shutdown

    package init(_ loaded: LoadedExtension, _ options: Options, _ shutdown: Shutdown) {
        self.loaded = loaded
        self.options = options
        self.shutdown = shutdown
    }

    /// Loads the extension and serves until SIGTERM or SIGINT; the current request is finished first.
    ///
    /// - Returns: the process's exit code: 0 after a signal, 1 when the extension or the socket is of no
    ///   use; the reason is on the error log.
    package static func run(
        library: String, name: String, options: Options = Options(), listener: Int32 = 0
    ) -> Int32 {
        Signal.ignore(.pipe)
        StandardStreams.printByLines()
        // The supervisor reads what it writes.
        if RuntimeFolder.path != nil { ErrorLog.shared.beRelayed() }
        Thread.nameCurrent("mortise-worker")
        do {
            // Before the extension may start threads: they inherit the blocked signals.
            let signals = try SignalDescriptor([.terminate, .interrupt])
            let shutdown = try Shutdown()
            guard Socket.isListening(listener) else {
                ErrorLog.shared.log(
                    .error,
                    "descriptor \(listener) is no listening socket: start the worker from a program "
                        + "that hands it one, such as mortise, spawn-fcgi or systemd")
                return 1
            }
            let loaded = try LoadedExtension.load(
                path: library, name: name, copy: options.copy, tag: 1
            ) { fault in
                // The answer goes out first; then the process does as it was asked.
                FaultRecorder.record(fault.end)
                shutdown.spoil()
            }
            for warning in loaded.warnings { ErrorLog.shared.log(.warning, warning) }
            try shutdown.watch(signals.descriptor.number)
            try FastCGIWorker(loaded, options, shutdown).serve(listener)
            if shutdown.isSpoilt { return 1 }
            loaded.terminate()
            return 0
        } catch {
            ErrorLog.shared.log(.error, "\(error)")
            return 1
        }
    }

    /// Serves connections one after the other until the shutdown is asked for.
    package func serve(_ listener: Int32) throws(SystemError) {
        while shutdown.waitForConnection(listener) {
            guard let (socket, _) = try Socket.accept(listener) else { continue }
            let connection = Descriptor(owning: socket)
            Socket.setBlocking(socket, true)
            Socket.setNoDelay(socket)
            serve(connection: socket)
            _ = consume connection
        }
    }

    private func serve(connection socket: Int32) {
        let connection = FastCGIConnection(socket, shutdown)
        let exchange = WorkerExchange(connection, options.settings, libraryPath: loaded.path)
        while let begin = connection.waitForRequest(), exchange.receive(begin) {
            if !exchange.isRefused { call(exchange) }
            guard exchange.end(), !shutdown.isStopping else { return }
        }
    }

    private func call(_ exchange: WorkerExchange) {
        guard case .pending(let call) = loaded.call(exchange) else { return }
        let deadline = Instant.now.adding(seconds: options.requestTimeout)
        guard !exchange.waitForCompletion(until: deadline) else { return }
        call.revoke()
        // Ended now, or by the thread that is inside a callback: either way `complete` comes.
        _ = exchange.waitForCompletion(until: .never)
    }
}
