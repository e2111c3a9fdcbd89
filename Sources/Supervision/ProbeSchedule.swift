// When each probe of a configuration runs.
// SPDX-License-Identifier: Apache-2.0

import Platform

/// A few probes at a time, each with a deadline that counts from its own start.
///
///     waiting ──start──► running ──ended──► done
///        ▲ cannot be started │ killed by others, the first time
///        └───────────────────┘
struct ProbeSchedule {
    /// Seconds a library may take to load; one that needs longer is not going to.
    static let patience = 5.0
    /// Seconds until a process that could not be started is tried again.
    static let pause = 0.1

    private let most: Int
    private var waiting: [Int]
    private var running: [Int: Instant] = [:]
    /// Killed once by somebody else.
    private var repeated: Set<Int> = []
    /// When the first attempt to start failed.
    private var failing: [Int: Instant] = [:]
    private var notBefore = Instant(nanoseconds: .min)

    init(count: Int, most: Int) {
        self.most = max(1, most)
        waiting = (0..<count).reversed()
    }

    var isDone: Bool { waiting.isEmpty && running.isEmpty }

    /// When `next` or `overdue` may have something new to say.
    var deadline: Instant {
        let nearest = running.values.min() ?? .never
        return !waiting.isEmpty && running.count < most ? min(nearest, notBefore) : nearest
    }

    /// The next one to start; it waits no more and must be answered with `started` or `failed`.
    mutating func next(_ now: Instant) -> Int? {
        guard running.count < most, now >= notBefore else { return nil }
        return waiting.popLast()
    }

    mutating func started(_ probe: Int, _ now: Instant) {
        running[probe] = now.adding(seconds: Self.patience)
        failing[probe] = nil
    }

    /// No process could be started: that is no fault of the library's. False: it has been tried long enough.
    mutating func failed(_ probe: Int, _ now: Instant) -> Bool {
        let since = failing[probe] ?? now
        guard now.seconds(since: since) < Self.patience else { return false }
        failing[probe] = since
        notBefore = now.adding(seconds: Self.pause)
        waiting.append(probe)
        return true
    }

    /// Those whose time is over, each once: they are killed, and their ends are awaited.
    mutating func overdue(_ now: Instant) -> [Int] {
        let over = running.filter { $0.value <= now }.keys.sorted()
        for probe in over { running[probe] = .never }
        return over
    }

    /// It has ended. True: it runs again, because an operator, or the kernel for want of memory, has killed
    /// it, which says nothing of the library.
    mutating func ended(_ probe: Int, killedByOthers: Bool) -> Bool {
        running[probe] = nil
        guard killedByOthers, repeated.insert(probe).inserted else { return false }
        waiting.append(probe)
        return true
    }
}
