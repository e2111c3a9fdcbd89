// A program started by a test: its own descriptors, its output in files, always reaped.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
import Synchronization
import TestSupport

enum ProcessEnding: Equatable, Sendable {
    case exited(Int32)
    case killed(Int32)
}

final class SpawnedProcess: Sendable {
    let pid: Int32
    private let ending = Mutex<ProcessEnding?>(nil)

    /// Starts the program with standard input from /dev/null and its output appended to the files.
    ///
    /// - Parameter descriptors: What it finds at 3, 4 …
    init(
        _ program: String, _ arguments: [String], output: String, errors: String,
        descriptors: [Int32] = []
    ) throws {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        posix_spawn_file_actions_addopen(&actions, 2, errors, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        // Closing what is not open is no error (glibc, sysdeps/unix/sysv/linux/spawni.c).
        for descriptor in Int32(3)..<256 { posix_spawn_file_actions_addclose(&actions, descriptor) }
        let passed = descriptors.map { fcntl($0, F_DUPFD_CLOEXEC, 256) }
        defer { for descriptor in passed { close(descriptor) } }
        for (index, descriptor) in passed.enumerated() {
            posix_spawn_file_actions_adddup2(&actions, descriptor, Int32(3 + index))
        }

        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        var all = sigset_t()
        sigemptyset(&none)
        sigfillset(&all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))

        var words: [UnsafeMutablePointer<CChar>?] = ([program] + arguments).map { strdup($0) }
        words.append(nil)
        defer { for word in words { free(word) } }
        var child: pid_t = 0
        let code = posix_spawn(&child, program, &actions, &attributes, words, environ)
        guard code == 0 else {
            throw ClientError.system(call: "posix_spawn \(program)", code: code)
        }
        pid = child
    }

    /// How it ended; nil while it runs.
    func poll() -> ProcessEnding? {
        ending.withLock { known in
            if known != nil { return known }
            var status: Int32 = 0
            guard waitpid(pid, &status, WNOHANG) == pid else { return nil }
            known = status & 0x7f == 0 ? .exited((status >> 8) & 0xff) : .killed(status & 0x7f)
            return known
        }
    }

    /// Waits until it ends; nil when it still runs after `seconds`.
    func wait(seconds: Double) -> ProcessEnding? {
        eventually(within: seconds) { self.poll() != nil } ? poll() : nil
    }

    func signal(_ number: Int32) {
        guard poll() == nil else { return }
        kill(pid, number)
    }
}

/// How many times longer than elsewhere things may take: `MORTISE_TEST_PATIENCE`, of Tests/sanitize.
let patienceFactor =
    ProcessInfo.processInfo.environment["MORTISE_TEST_PATIENCE"].flatMap(Double.init) ?? 1

/// Looks every few milliseconds whether the condition holds; false when it did not within `seconds`, which
/// are far more than it takes on a busy machine, times the patience asked for.
@discardableResult
func eventually(within seconds: Double = 60, _ condition: () throws -> Bool) rethrows -> Bool {
    let end = ContinuousClock.now + .seconds(seconds * patienceFactor)
    while true {
        if try condition() { return true }
        if ContinuousClock.now >= end { return false }
        usleep(10_000)
    }
}
