// The service manager: told how the server does, and that it does.
// SPDX-License-Identifier: Apache-2.0

import Configuration
import Platform

/// The line to the service manager; nothing happens without one.
struct ManagerLine {
    var notices = ManagerNotices()
    private let socket: NotifySocket?
    /// Seconds between two signs of life: half of what the manager waits (man 3 sd_watchdog_enabled).
    let watchdogInterval: Double?

    init(_ manager: ServiceManager, _ log: ErrorLog) {
        for problem in manager.problems { log.log(.warning, problem) }
        let made = Self.socket(manager, log)
        watchdogInterval = made == nil ? nil : manager.watchdogSeconds.map { $0 / 2 }
        socket = made
    }

    private static func socket(_ manager: ServiceManager, _ log: ErrorLog) -> NotifySocket? {
        guard let address = manager.notifyAddress else { return nil }
        do throws(SystemError) {
            return try NotifySocket(address)
        } catch {
            log.log(.warning, "the service manager at \(address) hears nothing: \(error)")
            return nil
        }
    }

    /// Sends what waits; false when the manager does not take more now.
    mutating func send() -> Bool {
        guard let socket else { return true }
        while let message = notices.waiting.first {
            if socket.send(message) == .wouldBlock { return false }
            notices.sent()
        }
        return true
    }

    /// A sign of life counts now or never: it is not kept.
    func signOfLife() { _ = socket?.send("WATCHDOG=1") }
}

extension SupervisorLoop {
    /// Seconds until a manager that takes nothing is tried again.
    private static let managerPause = 0.2

    func tellManager(_ change: (inout ManagerNotices) -> Void = { _ in }) {
        change(&manager.notices)
        times[.tellManager] =
            manager.send() ? .never : Instant.now.adding(seconds: Self.managerPause)
    }

    /// The host that serves was neither found standing nor killed for something else; while requests finish
    /// at the end, none has to serve.
    private var isAlive: Bool {
        phase != .serving || current.flatMap { hosts[$0]?.state } == .serving
    }

    /// While no host serves the manager hears nothing: when that lasts too long it starts everything anew.
    /// This thread alone sends it, so it also means that the supervisor itself does not stand.
    func showLife(_ now: Instant) {
        guard let interval = manager.watchdogInterval else { return }
        if isAlive { manager.signOfLife() }
        times[.showLife] = now.adding(seconds: isAlive ? interval : min(interval / 4, 0.5))
    }

    /// What the manager was told is what operators are told, where there is one line for both.
    func serves(_ verb: String, _ host: HostProcess) {
        let places = listeners.map(\.description).joined(separator: ", ")
        let line = "\(verb) on \(places)"
        log.log(.notice, "\(line) (host \(host.process.pid))")
        tellManager { $0.serves(line) }
    }

    // MARK: Sockets

    /// Closes inherited sockets that no listener has taken: a client would wait in their queues for ever.
    func closeUnnamedSockets() {
        for listener in listeners where listener.inherited != nil {
            log.log(
                .notice,
                "\(listener.description) is the socket '\(listener.inherited!.name)' of the service manager"
            )
        }
        inherited = inherited.filter { socket in
            if listeners.contains(where: { $0.inherited === socket }) { return true }
            log.log(
                .warning,
                "the inherited socket '\(socket.name)' at \(socket.address) is closed: no 'listen' of the"
                    + " configuration names that address")
            return false
        }
    }
}
