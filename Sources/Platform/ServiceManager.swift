// What a service manager leaves in the environment of what it starts.
// SPDX-License-Identifier: Apache-2.0

import Glibc

/// What a service manager such as systemd has given this process: sockets, an ear, and a watchdog.
package struct ServiceManager: Sendable {
    /// Those that are what they should be (LISTEN_FDS).
    package private(set) var sockets: [InheritedSocket] = []
    /// Where it hears how this process does (NOTIFY_SOCKET); nil when it does not want to.
    package private(set) var notifyAddress: String?
    /// Seconds after which it takes this process for dead when it has heard nothing; nil when it does not.
    package private(set) var watchdogSeconds: Double?
    /// What of it cannot be used, a sentence each.
    package private(set) var problems: [String] = []

    /// None.
    package init() {}

    /// Reads the variables of man 3 sd_listen_fds, sd_notify and sd_watchdog_enabled, and removes them: no
    /// child is meant. Only while the process has one thread, and before it opens a descriptor.
    package static func take() -> ServiceManager {
        var manager = ServiceManager()
        let isForUs = Environment.take("LISTEN_PID").flatMap { Int32($0) } == getpid()
        let count = Environment.take("LISTEN_FDS")
        let names = Environment.take("LISTEN_FDNAMES")?
            .split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        if isForUs, let count { manager.takeSockets(count, names: names ?? []) }
        manager.notifyAddress = Environment.take("NOTIFY_SOCKET").flatMap { $0.isEmpty ? nil : $0 }
        let watched = Environment.take("WATCHDOG_PID")
        if let time = Environment.take("WATCHDOG_USEC"),
            watched == nil || watched.flatMap({ Int32($0) }) == getpid()
        {
            manager.readWatchdog(time)
        }
        return manager
    }

    private mutating func takeSockets(_ text: String, names: [String]) {
        guard let count = Int(text), count >= 0 else {
            problems.append("LISTEN_FDS is \(text), which is no number: it counts for nothing")
            return
        }
        let taken = InheritedSocket.take(count, names: names)
        sockets = taken.sockets
        problems += taken.problems
    }

    private mutating func readWatchdog(_ text: String) {
        guard let time = UInt64(text), time > 0, time < .max else {
            problems.append("WATCHDOG_USEC is \(text), which is no time: it counts for nothing")
            return
        }
        watchdogSeconds = Double(time) / 1_000_000
    }
}
