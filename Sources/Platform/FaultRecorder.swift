// What this process leaves behind of its last moments.
// SPDX-License-Identifier: Apache-2.0

import CPlatform
import Glibc

/// Writes into a page of another process who is in whose code, and what has gone wrong there.
///
/// Threads go in and come back with `enter` and `leave`. A signal that ends the process, an `exit` where
/// nobody expects one and a thread that ends inside such code are written down as they happen, with the
/// program counter, the return addresses and what the thread was there for; `FaultPage.read` makes sense of
/// it when the process has gone.
package enum FaultRecorder {
    /// Which function of a plug-in a thread is in.
    package enum Function: UInt32, Sendable, CaseIterable {
        case load = 1
        case version, call, callback, terminate
    }

    /// Begins; once in a process, and before it has other threads.
    ///
    /// - Parameters:
    ///   - page: what `FaultPage.makeFile` has made.
    ///   - socket: gets `notice`, at most 64 bytes, when something has gone wrong and before the process ends;
    ///     nil: nobody.
    package static func start(
        _ page: borrowing Descriptor, telling socket: Int32? = nil, _ notice: [UInt8] = []
    ) throws(SystemError) {
        guard cplatform_record_faults(page.number, socket ?? -1, notice, notice.count) == 0 else {
            throw .last("mmap")
        }
    }

    /// Has `act` called by the thread that has done something of which the process ends, as soon as that is known
    /// and once more right before the end. The other threads go on meanwhile, and any lock may be held for
    /// ever: whatever it calls must be async-signal-safe (man 7 signal-safety), which allocating is not.
    package static func atFault(
        _ argument: UnsafeMutableRawPointer,

        _ act: @convention(c) (UnsafeMutableRawPointer?, _ isLast: Int32) -> Void
    ) {
        cplatform_at_fault(act, argument)
    }

    /// Puts down what has been mapped since the last time as the plug-in's of that tag, 0: nobody's.
    package static func recordModules(of tag: UInt32) { cplatform_record_modules(tag) }

    /// The plug-in of that tag says that it is not well, and that this process should be replaced.
    package static func recordUnwell(_ tag: UInt32) { cplatform_record_unwell(tag) }

    /// Puts down how a call ended after which this process ends, before its thread has left.
    package static func record(_ end: GuardedCall.End) {
        switch end {
        case .returned: break
        case .threw: cplatform_record_call_end(CPLATFORM_FAULT_THROW, 0)
        case .wantedExit(let code): cplatform_record_call_end(CPLATFORM_FAULT_EXIT, code)
        case .wantedThreadExit: cplatform_record_call_end(CPLATFORM_FAULT_THREAD_END, 0)
        }
    }

    /// Somebody has changed what becomes of the signals that are recorded, or of SIGPIPE: one of them, put
    /// right again.
    package static func restoreSignals() -> Int32? {
        let changed = cplatform_restore_signals()
        return changed == 0 ? nil : changed
    }

    /// The calling thread goes into the plug-in's code; `text` says what for, up to 200 bytes.
    package static func enter(_ tag: UInt32, _ function: Function, _ text: UnsafeRawBufferPointer) {
        cplatform_enter(
            tag, function.rawValue, CoarseClock.now.nanoseconds, text.baseAddress, text.count)
    }

    package static func enter(_ tag: UInt32, _ function: Function) {
        cplatform_enter(tag, function.rawValue, CoarseClock.now.nanoseconds, nil, 0)
    }

    /// It has come back.
    package static func leave() { cplatform_leave() }
}
