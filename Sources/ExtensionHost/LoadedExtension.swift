// An extension in this process, ready to be called.
// SPDX-License-Identifier: Apache-2.0

import CExtensionHost
import CISAPI
internal import Exchange
import Platform
import Synchronization

/// A shared object with the ISAPI entry points, loaded and asked for its version.
///
/// Any thread may call it; whether several may at once is the configuration's decision.
package final class LoadedExtension: Sendable {
    package let name: String
    /// The file it was loaded from.
    package let path: String
    /// HSE_VERSION_INFO.dwExtensionVersion: high word major, low word minor.
    package let version: UInt32
    /// HSE_VERSION_INFO.lpszExtensionDesc.
    package let description: String
    /// GetExtensionThreadSafety; nil when the extension does not export it.
    package let declaredThreadSafe: Bool?
    package let hasTerminate: Bool
    /// What is wrong with it, though it was loaded: for the error log.
    package let warnings: [String]

    private let entryPoints: EntryPoints
    /// What the records of `FaultRecorder` call it.
    private let tag: UInt32
    private let whenFaulted: WhenFaulted?
    /// Seconds.
    private let callLimit: Double
    private let isTerminated = Atomic<Bool>(false)

    /// Told of a call that wanted to end the process or the thread, or that threw, before its thread goes on.
    package typealias WhenFaulted = @Sendable (CallFault) -> Void

    /// Loads an extension: checks the file, resolves its symbols, calls GetExtensionVersion.
    ///
    /// The extension's own code runs in this: do it first in a process that may die of it.
    /// `copy` is what is loaded in the place of `path`, see `ExtensionCopy`. `callLimit`: seconds after which
    /// `WrittenOffCall.takeOverdue` ends a call.
    package static func load(
        path: String, name: String, copy: String? = nil, tag: UInt32 = 0,
        callLimit: Double = .infinity, whenFaulted: WhenFaulted? = nil
    ) throws(ExtensionError) -> LoadedExtension {
        let failure = LoadFailure(name: name, path: path)
        _ = try LoadFailure(name: name, path: copy ?? path).readFile()
        FaultRecorder.enter(tag, .load)
        defer { FaultRecorder.leave() }
        let object = try failure.open(copy)
        FaultRecorder.recordModules(of: tag)
        let entryPoints = try EntryPoints(object, failure)
        FaultRecorder.enter(tag, .version)
        return try LoadedExtension(
            name: name, path: path, entryPoints, failure, tag, callLimit, whenFaulted)
    }

    private init(
        name: String, path: String, _ entryPoints: EntryPoints, _ failure: LoadFailure,
        _ tag: UInt32, _ callLimit: Double,
        _ whenFaulted: WhenFaulted?
    ) throws(ExtensionError) {
        var info = HSE_VERSION_INFO()
        cextension_set_last_error(0)
        guard entryPoints.getVersion(&info) != 0 else {
            throw failure.refusedVersion(code: cextension_last_error())
        }
        self.name = name
        self.path = path
        self.entryPoints = entryPoints
        self.tag = tag
        self.whenFaulted = whenFaulted
        self.callLimit = callLimit
        var warnings: [String] = []
        if let signal = FaultRecorder.restoreSignals() {
            warnings.append(
                "extension \(name) has taken signal \(signal) for itself when it was loaded; the server"
                    + " has taken it back: an extension that is called in a server must leave signals alone"
            )
        }
        self.warnings = warnings
        version = info.dwExtensionVersion
        description = withUnsafeBytes(of: &info.lpszExtensionDesc) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        declaredThreadSafe = entryPoints.getThreadSafety.map { $0() == DWORD(HSE_THREAD_SAFE) }
        hasTerminate = entryPoints.terminate != nil
    }

    /// Calls HttpExtensionProc for one exchange, on this thread. Allocates nothing in the steady state.
    ///
    /// `whenPending` gets the call before anything can end it: the place to keep it in the exchange, which
    /// may be over, and used for another request, when this function returns. It is called when and only
    /// when the outcome is pending: also when HttpExtensionProc has returned anything else while another
    /// thread of the extension was inside a callback; that thread then completes the exchange.
    package func call(
        _ exchange: any ExtensionExchange, whenPending: (PendingCall) -> Void = { _ in }
    ) -> CallOutcome {
        guard let (slot, call) = CallTable.shared.acquire() else {
            exchange.fail(status: 503, reason: "too many extension calls at once")
            return .finished
        }
        return slot._withUnsafeGuaranteedRef { slot in
            let generation = slot.begin(
                exchange, call, tag, until: CoarseClock.now.adding(seconds: callLimit))
            let end = GuardedCall.run(entryPoints.answer, slot.block)
            let status =
                if case .returned(let status) = end { status } else { report(end, exchange) }
            FaultRecorder.leave()
            if let outcome = slot.returned(generation, status, whenPending) { return outcome }
            // Another thread has everything that this one would go back to.
            Thread.stay()
        }
    }

    /// A call that did not return; what counts as its status.
    private func report(_ end: GuardedCall.End, _ exchange: any ExtensionExchange) -> UInt32 {
        whenFaulted?(CallFault(end, request: exchange.request.line))
        return UInt32(CallFault.status)
    }

    /// Calls TerminateExtension, once, with no request outstanding; the process leaves after it.
    package func terminate() {
        guard !isTerminated.exchange(true, ordering: .relaxed) else { return }
        FaultRecorder.enter(tag, .terminate)
        defer { FaultRecorder.leave() }
        _ = entryPoints.terminate?(DWORD(HSE_TERM_MUST_UNLOAD))
    }
}
