// Who is to blame for a process's end, as far as it can be known.
// SPDX-License-Identifier: Apache-2.0

import Control
import Platform

/// What a page of faults and the way a process ended come to: a value, made of values.
struct FaultFinding: Equatable {
    /// How sure it is that the extension did it.
    enum Certainty: String, Equatable {
        /// The fault was in its code.
        case direct
        /// Its function was under way on the thread, which was in somebody else's code just then.
        case probable
        /// A thread of its own did it, outside of any call.
        case background
        /// One of several that were called in the last seconds.
        case suspect
    }

    /// Indices into the extensions of the configuration, each with its share of the blame.
    var culprits: [Int] = []
    var certainty = Certainty.direct
    /// What happened, as a clause about the process: "crashed with SIGSEGV (address 0x0)".
    var deed: String
    /// "crash.so+0x1165 (HttpExtensionProc)".
    var place: String?
    var frames: [String] = []
    /// Method and path of the call.
    var request: String?
    /// Which of the extension's functions was under way.
    var function: FaultRecorder.Function?
    /// The thread's slot and how many calls it had made; names the call.
    var call: String?
    /// All calls that the process had made.
    var calls: UInt64

    /// Seconds for which an extension that has come back is suspected still.
    static let suspicion = 10.0
    /// Calls under way that are older than this are what a process that stood still stood in.
    static let standing = 4.0

    /// - Parameters:
    ///   - complaint: why the supervisor has killed it; nil when it has not.
    ///   - count: how many extensions there are; who is none of them is not believed.
    init(
        _ page: FaultPage, end: ProcessEnd, complaint: String?, extensions count: Int, now: Instant
    ) {
        calls = page.activities.reduce(0) { $0 &+ $1.count }
        deed = complaint ?? Self.deed(end)
        if let fault = page.fault, complaint == nil, !fault.isFromOutside {
            read(fault, of: page, count, now)
        } else {
            blameWhoWasCalled(page, end, complaint, count, now)
        }
    }

    /// Of a call that its host has survived.
    init(_ end: CallEnd, request: String, of culprit: Int) {
        culprits = [culprit]
        deed =
            switch end {
            case .threw: Self.threw
            case .wantedExit(let code): "called exit(\(code))"
            case .wantedThreadExit: "wanted to end a thread of the server's (pthread_exit)"
            }
        self.request = request
        function = .call
        calls = 0
    }

    /// Of a call that never came back.
    init(overdue seconds: Double, request: String, of culprit: Int) {
        culprits = [culprit]
        let limit = seconds.isFinite ? PoolLedger.age(max(0, seconds)) : "its time"
        deed = "did not come back within \(limit)"
        self.request = request
        function = .call
        calls = 0
    }

    private static let threw = "let an exception out of HttpExtensionProc"

    // MARK: A fault that was written down

    private mutating func read(
        _ fault: FaultPage.Fault, of page: FaultPage, _ count: Int, _ now: Instant
    ) {
        deed = Self.deed(fault)
        let named = fault.names + [String](repeating: "", count: fault.frames.count + 1)
        if fault.counter != 0 { place = page.describe(fault.counter, named[0]) }
        frames = fault.frames.enumerated().map { page.describe($1, named[$0 + 1]) }
        if let activity = fault.activity { use(activity) }
        let inside = page.tag(at: fault.counter)
        let caller = fault.frames.firstIndex { page.tag(at: $0 &- 1) != 0 }
        let above = caller.map { page.tag(at: fault.frames[$0] &- 1) } ?? 0
        if inside == 0, let caller, place != nil { place! += ", called from \(frames[caller])" }
        if let tag = fault.activity?.tag, let index = Self.index(tag, count) {
            culprits = [index]
            certainty = inside == tag || fault.counter == 0 ? .direct : .probable
        } else if let index = Self.index(inside != 0 ? inside : above, count) {
            culprits = [index]
            certainty = .background
        } else {
            suspect(page, count, now)
        }
    }

    private static func deed(_ fault: FaultPage.Fault) -> String {
        switch fault.kind {
        case .signal(_, _, _) where fault.isOverflow: "ran out of stack (SIGSEGV)"
        case .signal(let signal, let code, let address):
            // What was sent by kill(2) and its kin has no address.
            code > 0 && signal != Signal.abort.rawValue
                ? "crashed with \(Signal.name(signal)) (address 0x\(String(address, radix: 16)))"
                : "crashed with \(Signal.name(signal))"
        case .exit(let code): "called exit(\(code))"
        case .threadEnd: "ended a thread of the server's (pthread_exit)"
        case .exception: threw
        }
    }

    private mutating func use(_ activity: FaultPage.Activity) {
        request = activity.text.isEmpty ? nil : activity.text
        function = activity.function
        call = "\(activity.slot)-\(activity.count)"
    }

    // MARK: An end that nobody wrote down

    private static func deed(_ end: ProcessEnd) -> String {
        switch end {
        case .exited(let code): "exited with code \(code)"
        case .killed(signal: Signal.kill.rawValue):
            "was killed by SIGKILL (an operator, or the kernel for want of memory)"
        case .killed(let signal): "was killed by \(Signal.name(signal))"
        }
    }

    private mutating func blameWhoWasCalled(
        _ page: FaultPage, _ end: ProcessEnd, _ complaint: String?, _ count: Int, _ now: Instant
    ) {
        // Who kills from outside has his own reasons.
        if complaint == nil, page.fault != nil || end == .killed(signal: Signal.kill.rawValue) {
            return
        }
        if complaint != nil {
            let standing = page.activities.filter {
                $0.function != nil && now.seconds(since: $0.started) >= Self.standing
            }
            blame(standing, count)
        } else {
            blame(page.activities.filter { $0.function != nil }, count)
            if culprits.isEmpty { suspect(page, count, now) }
        }
    }

    private mutating func blame(_ activities: [FaultPage.Activity], _ count: Int) {
        culprits = Set(activities.compactMap { Self.index($0.tag, count) }).sorted()
        certainty = culprits.count > 1 ? .suspect : .probable
        if let oldest = activities.min(by: { $0.started < $1.started }) { use(oldest) }
    }

    /// Of memory that somebody has spoilt others die.
    private mutating func suspect(_ page: FaultPage, _ count: Int, _ now: Instant) {
        let recent = page.activities.filter {
            $0.function != nil || now.seconds(since: $0.started) <= Self.suspicion
        }
        culprits = Set(recent.compactMap { Self.index($0.tag, count) }).sorted()
        certainty = .suspect
    }

    private static func index(_ tag: UInt32, _ count: Int) -> Int? {
        tag > 0 && Int(tag) <= count ? Int(tag) - 1 : nil
    }
}

extension FaultPage.Module {
    /// Without its folder, and without the digest that the name of a private copy begins with.
    fileprivate var fileName: String {
        let file = name.split(separator: "/").last.map(String.init) ?? name
        guard file.hasPrefix(RuntimeFolder.copyPrefix) else { return file }
        return file.split(separator: "-", maxSplits: 3).last.map(String.init) ?? file
    }
}

extension FaultPage.Fault {
    /// Somebody has sent the signal with kill(2) (man 2 sigaction, SI_USER).
    fileprivate var isFromOutside: Bool {
        if case .signal(_, code: 0, _) = kind { true } else { false }
    }
}

extension FaultPage {
    fileprivate func module(at address: UInt64) -> Module? {
        modules.first { $0.addresses.contains(address) }
    }

    fileprivate func tag(at address: UInt64) -> UInt32 { module(at: address)?.tag ?? 0 }

    /// "crash.so+0x1165 (HttpExtensionProc)".
    fileprivate func describe(_ address: UInt64, _ name: String) -> String {
        guard let module = module(at: address) else { return "0x\(String(address, radix: 16))" }
        let file = module.fileName
        let offset = String(address &- module.base, radix: 16)
        return "\(file)+0x\(offset)" + (name.isEmpty ? "" : " (\(name))")
    }
}
