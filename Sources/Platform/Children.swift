// Children held by their numbers: many, short-lived, reaped as soon as they end.
// SPDX-License-Identifier: Apache-2.0

import CPlatform
import Glibc

/// Processes that this one started without a handle.
///
/// A child's number is its own until it is reaped, and its group's number until the last member is gone,
/// so neither can mean another process while the conditions below hold.
package enum Children {
    /// What to start: the strings of `block`, each ended by NUL, are the program's path, its folder, the
    /// arguments and the variables, in this order. The caller has checked that there are so many.
    package struct Start {
        package var block: [UInt8]
        package var argumentCount: Int
        package var variableCount: Int
        /// The child's descriptor 0, 1, 2 … is a copy of these. It gets no others.
        package var descriptors: [Int32]
        package var confinement: Confinement

        package init(
            block: [UInt8], argumentCount: Int, variableCount: Int, descriptors: [Int32],
            confinement: Confinement = Confinement()
        ) {
            self.block = block
            self.argumentCount = argumentCount
            self.variableCount = variableCount
            self.descriptors = descriptors
            self.confinement = confinement
        }
    }

    /// Starts a program as leader of its own session and process group; its number. It ends with the
    /// calling thread.
    package static func start(_ start: Start) throws(SystemError) -> Int32 {
        var pid: pid_t = -1
        var step: Int32 = 0
        let code = start.block.withUnsafeBytes { block in
            start.descriptors.withUnsafeBufferPointer { descriptors in
                withUnsafeTemporaryAllocation(
                    of: UnsafeMutablePointer<CChar>?.self,
                    capacity: start.argumentCount + start.variableCount + 2
                ) { pointers in
                    let base = UnsafeMutableRawPointer(mutating: block.baseAddress!)
                        .assumingMemoryBound(to: CChar.self)
                    var next = base
                    func string() -> UnsafeMutablePointer<CChar> {
                        defer { next += strlen(next) + 1 }
                        return next
                    }
                    let program = string()
                    let folder = string()
                    for index in 0..<start.argumentCount { pointers[index] = string() }
                    pointers[start.argumentCount] = nil
                    let variables = pointers.baseAddress! + start.argumentCount + 1
                    for index in 0..<start.variableCount { variables[index] = string() }
                    variables[start.variableCount] = nil
                    return start.confinement.withRaw { confinement in
                        var raw = cplatform_start(
                            program: program, arguments: pointers.baseAddress!,
                            environment: variables, folder: folder,
                            descriptors: descriptors.baseAddress,
                            descriptor_count: Int32(descriptors.count), ends_with_parent: 1,
                            is_batch: 0, keeps_open_files: 0, confinement: confinement)
                        return cplatform_spawn(&raw, &pid, nil, &step)
                    }
                }
            }
        }
        guard code == 0 else { throw SystemError(ofStep: step, code: code) }
        return pid
    }

    /// Some child that has ended and waits to be reaped.
    package static func ended() -> Int32? {
        let pid = cplatform_ended_child()
        return pid > 0 ? pid : nil
    }

    /// How the child ended, and forgets it; nil while it runs.
    package static func reap(_ pid: Int32) -> ChildProcess.End? {
        var killed: Int32 = 0
        var status: Int32 = 0
        guard cplatform_reap_child(pid, &killed, &status) == 1 else { return nil }
        return killed != 0 ? .killed(signal: status) : .exited(code: status)
    }

    /// Whether a child of this process is in the group: then the number is that group's and no other's.
    package static func groupIsLeft(_ leader: Int32) -> Bool {
        cplatform_has_child_in_group(leader) != 0
    }

    /// Kills all processes of a group; only while its leader has not been reaped or `groupIsLeft`.
    package static func killGroup(_ leader: Int32) { _ = cplatform_signal_group(leader, SIGKILL) }
}
