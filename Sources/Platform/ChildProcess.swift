// A process this one started, held by a descriptor and not by its number.
// SPDX-License-Identifier: Apache-2.0

import CPlatform
import Glibc

/// What a new process is to be.
package struct ProcessStart: Sendable {
    /// The program's path; `PATH` is not searched (see `ProgramSearch`).
    package var program: String
    /// With the program's name as the first.
    package var arguments: [String]
    /// All of it, each "NAME=value": nothing is inherited.
    package var environment: [[UInt8]] = []
    /// The working folder; nil = this process's.
    package var folder: String?
    /// The child's descriptor 0, 1, 2 … is a copy of these; -1 = /dev/null. It gets no others.
    package var descriptors: [Int32] = [-1, -1, -1]
    /// The kernel kills the child when the *thread* that started it ends (man 2 PR_SET_PDEATHSIG).
    package var endsWithParent = true
    /// Whoever wakes the child goes on until it waits itself (man 7 sched, SCHED_BATCH).
    package var isBatch = false
    /// The child gets the limit on open files as `Limits.raiseOpenFiles` has made it; other programs get the
    /// one from before, because some cannot live with a large one.
    package var keepsOpenFileLimit = false
    /// What it runs as, and within which limits.
    package var confinement = Confinement()

    package init(program: String, arguments: [String]) {
        self.program = program
        self.arguments = arguments
    }
}

/// A started process: leader of its own session and process group, held by a pidfd.
///
/// Signals go through the pidfd, so none can reach another process that got the number later
/// (man 2 pidfd_open). Whoever starts a child reaps it by `reap()`.
package final class ChildProcess {
    package enum End: Equatable, Sendable {
        case exited(code: Int32)
        case killed(signal: Int32)
    }

    package let pid: Int32
    /// Becomes readable when the process ends.
    package let handle: Descriptor
    private var isReaped = false

    /// Starts a program. The error is that of the step that failed, and names it: then the program has not
    /// been executed. ENOENT and EACCES blame the program or the folder, EAGAIN and ENOMEM the system.
    package init(_ start: ProcessStart) throws(SystemError) {
        let arguments = StringTable(start.arguments.map { Array($0.utf8) })
        let environment = StringTable(start.environment)
        var number: pid_t = -1
        var handle: Int32 = -1
        var step: Int32 = 0
        let code = arguments.withPointers { argumentList in
            environment.withPointers { variables in
                start.descriptors.withUnsafeBufferPointer { descriptors in
                    start.program.withCString { program in
                        withOptionalString(start.folder) { folder in
                            start.confinement.withRaw { confinement in
                                var raw = cplatform_start(
                                    program: program, arguments: argumentList,
                                    environment: variables, folder: folder,
                                    descriptors: descriptors.baseAddress,
                                    descriptor_count: Int32(descriptors.count),
                                    ends_with_parent: start.endsWithParent ? 1 : 0,
                                    is_batch: start.isBatch ? 1 : 0,
                                    keeps_open_files: start.keepsOpenFileLimit ? 1 : 0,
                                    confinement: confinement)
                                return cplatform_spawn(&raw, &number, &handle, &step)
                            }
                        }
                    }
                }
            }
        }
        guard code == 0 else { throw SystemError(ofStep: step, code: code) }
        pid = number
        self.handle = Descriptor(owning: handle)
    }

    /// How the process ended; nil while it runs. It stays a zombie: its numbers are not given anew.
    package func end() -> End? { wait(keep: true) }

    /// How the process ended, and forgets it; nil while it runs.
    package func reap() -> End? {
        guard let end = wait(keep: false) else { return nil }
        isReaped = true
        return end
    }

    /// Sends a signal to the process alone.
    package func signal(_ number: Signal) {
        _ = cplatform_signal_handle(handle.number, number.rawValue)
    }

    /// Sends a signal to the process and all others of its group; none once it has been reaped, because
    /// the group's number may be another's by then.
    package func signalGroup(_ number: Signal) {
        guard !isReaped else { return }
        // The leader itself by its handle: before its setsid(2) took effect there is no such group.
        _ = cplatform_signal_handle(handle.number, number.rawValue)
        _ = cplatform_signal_group(pid, number.rawValue)
    }

    private func wait(keep: Bool) -> End? {
        var killed: Int32 = 0
        var status: Int32 = 0
        guard cplatform_wait_handle(handle.number, keep ? 1 : 0, &killed, &status) == 1 else {
            return nil
        }
        return killed != 0 ? .killed(signal: status) : .exited(code: status)
    }
}

/// Strings as the NULL-ended array of C strings that execve(2) takes: one block of memory.
private struct StringTable {
    private var bytes: [CChar] = []
    private var starts: [Int] = []

    init(_ strings: [[UInt8]]) {
        bytes.reserveCapacity(strings.reduce(0) { $0 + $1.count + 1 })
        starts.reserveCapacity(strings.count)
        for string in strings {
            starts.append(bytes.count)
            for byte in string { bytes.append(CChar(bitPattern: byte)) }
            bytes.append(0)
        }
    }

    func withPointers<Result>(
        _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Result
    ) -> Result {
        bytes.withUnsafeBufferPointer { memory in
            withUnsafeTemporaryAllocation(
                of: UnsafeMutablePointer<CChar>?.self, capacity: starts.count + 1
            ) { pointers in
                for (index, start) in starts.enumerated() {
                    pointers[index] = UnsafeMutablePointer(mutating: memory.baseAddress! + start)
                }
                pointers[starts.count] = nil
                return body(UnsafePointer(pointers.baseAddress!))
            }
        }
    }
}

private func withOptionalString<Result>(
    _ string: String?, _ body: (UnsafePointer<CChar>?) -> Result
) -> Result {
    guard let string else { return body(nil) }
    return string.withCString { body($0) }
}
