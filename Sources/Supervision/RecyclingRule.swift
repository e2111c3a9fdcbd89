// Which process of a group is exchanged next, and why.
// SPDX-License-Identifier: Apache-2.0

import Configuration
import Platform

/// The rule of `recycle:` for the host or for one pool, as a value: what processes have come to goes in at
/// every look, time is an argument, and at most one process comes out.
///
/// One at a time is what keeps those that were started together from leaving together; besides, each one's age
/// is allowed up to a tenth less than `after`, by its number, so that pools do not meet either.
///
/// A process that is over a limit just after its start is exchanged once; that the next one is over it too
/// shows that the limit is too low, or the leak too fast: then there are pauses, which grow, and one line.
struct RecyclingRule: Sendable {
    struct Subject: Sendable, Equatable {
        var id: UInt64
        var started: Instant
        var use = ProcessUse()
        /// The extension that says that it is not well.
        var unhealthy: String?
    }

    enum Decision: Sendable, Equatable {
        case exchange(UInt64, RecyclingCause)
        /// It should be exchanged, and another would do no better: not for so many seconds. Said once.
        case hold(UInt64, RecyclingCause, seconds: Double)
    }

    /// Seconds after its start in which a process that is over a limit has been so from the beginning.
    static let youth = 60.0
    /// Seconds between exchanges of young ones.
    static let firstPause = 60.0
    static let longestPause = 3600.0

    private var schedule = DailySchedule()
    /// Processes from before then are exchanged.
    private var outdated: (before: Instant, cause: RecyclingCause)?
    /// Of those found over a limit: whether they were young then.
    private var wasYoung: [UInt64: Bool] = [:]
    private var pause = firstPause
    private var notBefore = Instant(nanoseconds: .min)
    private var isTold = false

    /// All processes there are now are to be exchanged.
    mutating func ask(now: Instant) { outdated = (now, .asked) }

    /// A look at the time of day; as often as at the processes, also when none can be exchanged.
    mutating func look(at time: LocalTime, _ limits: Settings.Recycling, now: Instant) {
        if let minute = schedule.due(limits.at, at: time) {
            outdated = (now, .schedule(minute: minute))
        }
    }

    /// What is to be done now, when an exchange can be begun.
    mutating func decide(
        _ subjects: [Subject], _ limits: Settings.Recycling, now: Instant
    ) -> Decision? {
        wasYoung = wasYoung.filter { id, _ in subjects.contains { $0.id == id } }
        let ordered = subjects.sorted { ($0.started, $0.id) < ($1.started, $1.id) }
        var held: Decision?
        for subject in ordered {
            guard let cause = cause(subject, limits, now) else { continue }
            guard cause.mayRecur else { return .exchange(subject.id, cause) }
            let isYoung =
                wasYoung[subject.id] ?? (now.seconds(since: subject.started) < Self.youth)
            wasYoung[subject.id] = isYoung
            if isYoung, now < notBefore {
                if held == nil { held = hold(subject.id, cause, now) }
                continue
            }
            admit(isYoung, now)
            return .exchange(subject.id, cause)
        }
        return held
    }

    private mutating func admit(_ isYoung: Bool, _ now: Instant) {
        guard isYoung else {
            pause = Self.firstPause
            isTold = false
            return
        }
        notBefore = now.adding(seconds: pause)
        pause = min(Self.longestPause, pause * 2)
    }

    private mutating func hold(
        _ id: UInt64, _ cause: RecyclingCause, _ now: Instant
    ) -> Decision? {
        guard !isTold else { return nil }
        isTold = true
        return .hold(id, cause, seconds: notBefore.seconds(since: now))
    }

    private func cause(
        _ subject: Subject, _ limits: Settings.Recycling, _ now: Instant
    ) -> RecyclingCause? {
        let use = subject.use
        if let name = subject.unhealthy { return .unhealthy(name) }
        if limits.memory > 0, use.resident > limits.memory {
            return .resident(bytes: use.resident, limit: limits.memory)
        }
        if limits.privateMemory > 0, use.own > limits.privateMemory {
            return .own(bytes: use.own, limit: limits.privateMemory)
        }
        if limits.descriptors > 0, use.descriptors > limits.descriptors {
            return .descriptors(count: use.descriptors, limit: limits.descriptors)
        }
        if let outdated, subject.started < outdated.before { return outdated.cause }
        let age = now.seconds(since: subject.started)
        if limits.after > 0, age >= limits.after * (1 - Self.spread(subject.id) / 10) {
            return .age(seconds: age, limit: limits.after)
        }
        return nil
    }

    /// 0 to 1, another one for each number (Knuth's multiplicative hash).
    static func spread(_ id: UInt64) -> Double {
        Double((id &* 0x9e37_79b9_7f4a_7c15) >> 40) / Double(1 << 24)
    }
}
