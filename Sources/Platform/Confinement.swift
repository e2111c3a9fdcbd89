// What a process runs as, and within which limits.
// SPDX-License-Identifier: Apache-2.0

import CPlatform
import Glibc

/// What is taken away from a process before its program is executed. Where one step fails the program never is.
package struct Confinement: Sendable, Equatable {
    /// A resource of man 2 getrlimit.
    package enum Resource: Sendable, CaseIterable {
        case openFiles, processes, fileSize, processorTime, memory, core

        fileprivate var number: Int32 {
            switch self {
            case .openFiles: Int32(RLIMIT_NOFILE.rawValue)
            case .processes: Int32(__RLIMIT_NPROC.rawValue)
            case .fileSize: Int32(RLIMIT_FSIZE.rawValue)
            case .processorTime: Int32(RLIMIT_CPU.rawValue)
            case .memory: Int32(RLIMIT_DATA.rawValue)
            case .core: Int32(RLIMIT_CORE.rawValue)
            }
        }
    }

    /// Nil: that of this process.
    package var identity: Identity?
    /// Files, bytes or seconds; soft and hard limit alike.
    package var limits: [Resource: UInt64] = [:]
    /// -20 (first) to 19 (last); nil: this process's (man 2 setpriority).
    package var nice: Int?
    /// -1000 (never) to 1000 (first), when the kernel is out of memory; nil: this process's.
    package var oomScore: Int?
    package var umask: UInt32?
    /// Programs that give their caller more rights do so: sudo, and others with a set-user-ID bit.
    package var keepsNewPrivileges = false

    package init(identity: Identity? = nil) { self.identity = identity }

    /// Confines this process, for good. Only while it has one thread.
    package func confineThisProcess() throws(SystemError) {
        let (step, code) = withRaw { raw -> (cplatform_step, Int32) in
            let step = cplatform_confine(raw)
            return (step, errno)
        }
        guard step == CPLATFORM_STEP_NONE else {
            throw SystemError(ofStep: Int32(step.rawValue), code: code)
        }
    }

    /// The same for C, for as long as `body` runs.
    func withRaw<Result>(_ body: (UnsafePointer<cplatform_confinement>) -> Result) -> Result {
        let numbers = limits.map { cplatform_limit(resource: $0.key.number, value: $0.value) }
        return numbers.withUnsafeBufferPointer { limits in
            guard let identity else { return withUnsafePointer(to: raw(limits, nil), body) }
            return identity.withRaw { withUnsafePointer(to: raw(limits, $0), body) }
        }
    }

    private func raw(
        _ limits: UnsafeBufferPointer<cplatform_limit>,
        _ identity: UnsafePointer<cplatform_identity>?
    ) -> cplatform_confinement {
        cplatform_confinement(
            has_nice: nice == nil ? 0 : 1, nice: Int32(nice ?? 0),
            has_oom_score: oomScore == nil ? 0 : 1, oom_score: Int32(oomScore ?? 0),
            limits: limits.baseAddress, limit_count: Int32(limits.count),
            umask: umask.map { Int32($0) } ?? -1, identity: identity,
            keeps_new_privileges: keepsNewPrivileges ? 1 : 0)
    }
}

extension SystemError {
    /// The step between a new process and its program that failed.
    init(ofStep step: Int32, code: Int32) {
        let name = cplatform_step_name(cplatform_step(rawValue: UInt32(step)))
        self.init(name.map { String(cString: $0) } ?? "clone", code: code)
    }
}
