// Which request gets which worker of a pool, and who has to wait.
// SPDX-License-Identifier: Apache-2.0

import Control
import Platform

/// The host's side of one pool as a value: events in, actions out, time as an argument.
///
/// Idle workers are taken last in, first out, so that the ones above the need grow old and can go.
/// Waiting requests are served first come, first served. Neither ever exists beside the other. Nothing is
/// allocated once the arrays have their size.
struct WorkerQueue<Worker, Waiting> {
    struct Limits: Sendable {
        var minimum: Int
        var maximum: Int
        /// Requests that may wait for busy workers, and for how many seconds.
        var queue: Int
        var queueTimeout: Double
        /// Seconds until an idle worker above the minimum ends.
        var idleTimeout: Double
        /// 0 = no limit.
        var maxRequests: Int
    }

    enum Acquired {
        case worker(Worker)
        /// The request waits. `asks`: the supervisor is to be asked for one more worker.
        case parked(asks: Bool)
        case full
        case unavailable(reason: String, retryAfter: Int)
    }

    /// What becomes of a worker that is free.
    struct Freed {
        /// The request that gets this worker.
        var next: Waiting?
        /// Seconds it has waited.
        var waited = 0.0
        /// The worker leaves this host.
        var release: ReleaseReason?
        /// The supervisor is to be asked for so many workers.
        var asks = 0
        /// The request that was tried has been answered: the quarantine is over.
        var isHealed = false
    }

    /// What the time brings.
    struct Expired {
        /// Waited too long.
        var late: [Waiting] = []
        /// Wait for workers that cannot be had.
        var denied: [Waiting] = []
        var reason = ""
        var retryAfter = 1
        /// Idle for too long.
        var surplus: [Worker] = []
        var asks = 0
    }

    let limits: Limits
    private var idle: [(worker: Worker, since: Instant)] = []
    private var turns: UInt32 = 0
    /// One request in so many goes to the worker that has been idle the longest.
    private static var rotation: UInt32 { 64 }
    private var parked = Ring<(waiting: Waiting, since: Instant)>()
    /// Workers of this host, busy or idle.
    private(set) var held = 0
    /// Workers the supervisor has been asked for and has neither given nor refused.
    private(set) var wanted = 0
    /// Workers another host waits for: the next free ones.
    private var owed = 0
    private var refusal: (reason: String, until: Instant)?
    private(set) var isDraining = false
    /// Workers that go when they have no request.
    private(set) var retiring: Set<UInt64> = []
    /// Nobody is served until then; after it one is tried at a time. Nil: all are served.
    private var barrier: (reason: String, until: Instant)?
    /// One request is being tried.
    private var isTrying = false

    init(_ limits: Limits) {
        self.limits = limits
        idle.reserveCapacity(limits.maximum)
    }

    var idleCount: Int { idle.count }
    var parkedCount: Int { parked.count }

    // MARK: Requests

    mutating func acquire(for waiting: Waiting, now: Instant) -> Acquired {
        if let barrier {
            guard !isTrying, now >= barrier.until else {
                return .unavailable(
                    reason: barrier.reason, retryAfter: seconds(to: barrier.until, now))
            }
            isTrying = true
        }
        if let worker = takeIdle() { return .worker(worker) }
        if held == 0, let refusal, refusal.until > now {
            return .unavailable(reason: refusal.reason, retryAfter: seconds(to: refusal.until, now))
        }
        // Those for whom a worker may still be had do not wait for another request's end.
        guard parked.count < limits.queue + max(0, limits.maximum - held) else { return .full }
        parked.append((waiting, now))
        return .parked(asks: askForMore(now) > 0)
    }

    mutating func release(
        _ worker: Worker, _ fate: WorkerFate, requestsServed: Int, isRetiring: Bool = false,
        now: Instant
    ) -> Freed {
        if barrier != nil, isTrying { return endTrial(worker, fate, now) }
        let isWorn =
            isRetiring || limits.maxRequests > 0 && requestsServed >= limits.maxRequests
        switch fate {
        case .broken: return letGo(.broken, now)
        case .reusable where !isWorn: return assign(worker, now)
        case .reusable: return letGo(.served, now)
        // The supervisor finds out when it is through with the request, and gives it back.
        case .abandoned: return letGo(isWorn ? .served : .idle, now)
        }
    }

    private mutating func letGo(_ reason: ReleaseReason, _ now: Instant) -> Freed {
        held = max(0, held - 1)
        owed = max(0, owed - 1)
        return Freed(release: reason, asks: askForMore(now))
    }

    /// Gives a free worker to the next in the queue, or keeps it: when it is new, when its request is over,
    /// and when the client of the one it was meant for has gone.
    mutating func assign(_ worker: Worker, _ now: Instant) -> Freed {
        if owed > 0 {
            owed -= 1
            held = max(0, held - 1)
            return Freed(release: .idle, asks: askForMore(now))
        }
        if let next = parked.popFirst() {
            return Freed(next: next.waiting, waited: now.seconds(since: next.since))
        }
        guard !isDraining, barrier == nil else {
            held = max(0, held - 1)
            return Freed(release: .idle)
        }
        idle.append((worker, now))
        return Freed()
    }

    /// Takes a request out of the queue; false when it is not there any more.
    mutating func withdraw(where isMeant: (Waiting) -> Bool) -> Bool {
        let isFound = parked.removeFirst { isMeant($0.waiting) }
        if isFound { isTrying = false }
        return isFound
    }

    // MARK: The supervisor's answers

    /// - Parameter isAsked: it answers one of the asks; else it comes unasked, and they stand.
    mutating func grant(_ worker: Worker, isAsked: Bool, now: Instant) -> Freed {
        held += 1
        if isAsked { wanted = max(0, wanted - 1) }
        refusal = nil
        return assign(worker, now)
    }

    /// So many asks are refused. Those who wait are given up when there is no worker at all.
    mutating func deny(count: Int, reason: String, retryAfter: Int, now: Instant) -> Expired {
        wanted = max(0, wanted - count)
        refusal = (reason, now.adding(seconds: Double(max(1, retryAfter))))
        var expired = Expired()
        giveUp(now, &expired)
        return expired
    }

    /// So many asks could not be sent; the next `expire` asks again.
    mutating func takeBackAsks(_ count: Int) { wanted = max(0, wanted - count) }

    /// Last in, first out: the caches of the worker that was busy just now are warm, and what is not needed
    /// grows idle and ends. Among those that stay anyhow the longest idle has its turn now and then, so
    /// that no one of them does all the work and ages alone.
    private mutating func takeIdle() -> Worker? {
        guard !idle.isEmpty else { return nil }
        turns &+= 1
        let isTurn = turns % Self.rotation == 0 && held <= limits.minimum
        return isTurn ? idle.removeFirst().worker : idle.removeLast().worker
    }

    /// A worker has died. When it was idle it is taken out; a busy one comes back by `release`.
    mutating func end(where isDead: (Worker) -> Bool) -> Worker? {
        guard let place = idle.firstIndex(where: { isDead($0.worker) }) else { return nil }
        held = max(0, held - 1)
        return idle.remove(at: place).worker
    }

    /// Another host waits for a worker: the one that has been idle the longest; nil when all are busy.
    mutating func giveBack() -> Worker? {
        guard !isDraining else { return nil }
        guard !idle.isEmpty else {
            owed = min(owed + 1, held)
            return nil
        }
        held = max(0, held - 1)
        return idle.removeFirst().worker
    }

    // MARK: Retiring

    /// Another worker has come for this one: it goes now if it is idle, else when its request is over
    /// (`takeRetiring`).
    mutating func retire(_ id: UInt64, where isMeant: (Worker) -> Bool) -> Worker? {
        let worker = end(where: isMeant)
        if worker == nil { retiring.insert(id) } else { retiring.remove(id) }
        return worker
    }

    /// Whether the worker, whose request is over, is one that goes.
    mutating func takeRetiring(_ id: UInt64) -> Bool {
        !retiring.isEmpty && retiring.remove(id) != nil
    }

    // MARK: Quarantine

    /// Seconds in which the supervisor says what follows from a trial that failed.
    private static var verdictTime: Double { 5 }

    /// Nobody is served for so long. Gives back who is idle, and who waits.
    mutating func quarantine(reason: String, seconds: Int, now: Instant) -> Expired {
        barrier = (reason, now.adding(seconds: Double(seconds)))
        isTrying = false
        var expired = Expired()
        expired.surplus = idle.map(\.worker)
        idle.removeAll(keepingCapacity: true)
        held = max(0, held - expired.surplus.count)
        while let next = parked.popFirst() { expired.denied.append(next.waiting) }
        expired.reason = reason
        expired.retryAfter = max(1, seconds)
        return expired
    }

    mutating func endQuarantine() {
        barrier = nil
        isTrying = false
        refusal = nil
    }

    /// The request that was tried is over: an answer ends the quarantine.
    private mutating func endTrial(_ worker: Worker, _ fate: WorkerFate, _ now: Instant) -> Freed {
        isTrying = false
        switch fate {
        case .reusable:
            barrier = nil
            var freed = assign(worker, now)
            freed.isHealed = true
            return freed
        case .broken:
            barrier?.until = now.adding(seconds: Self.verdictTime)
            return letGo(.broken, now)
        // Its client has left: it has proved nothing.
        case .abandoned: return letGo(.idle, now)
        }
    }

    // MARK: Time

    mutating func expire(now: Instant) -> Expired {
        var expired = Expired()
        while let first = parked.first, now >= first.since.adding(seconds: limits.queueTimeout) {
            expired.late.append(parked.popFirst()!.waiting)
            isTrying = false
        }
        giveUp(now, &expired)
        while held > limits.minimum, let oldest = idle.first,
            now >= oldest.since.adding(seconds: limits.idleTimeout)
        {
            expired.surplus.append(idle.removeFirst().worker)
            held -= 1
        }
        // A worker may have died since it was asked for, or a refusal's time is over.
        expired.asks = askForMore(now)
        return expired
    }

    /// The host leaves: its idle workers, and from now on each that becomes idle, go back.
    mutating func drain() -> [Worker] {
        isDraining = true
        owed = 0
        let workers = idle.map(\.worker)
        idle.removeAll()
        held = max(0, held - workers.count)
        return workers
    }

    // MARK: Decisions

    /// As many as wait and may still be had; they count as wanted from now on.
    private mutating func askForMore(_ now: Instant) -> Int {
        if let refusal, refusal.until > now { return 0 }
        let more = max(0, min(parked.count - wanted, limits.maximum - held - wanted))
        wanted += more
        return more
    }

    private mutating func giveUp(_ now: Instant, _ expired: inout Expired) {
        guard held == 0, let refusal, refusal.until > now else { return }
        while let next = parked.popFirst() { expired.denied.append(next.waiting) }
        isTrying = false
        expired.reason = refusal.reason
        expired.retryAfter = seconds(to: refusal.until, now)
    }

    private func seconds(to until: Instant, _ now: Instant) -> Int {
        max(1, Int(min(3600, until.seconds(since: now)).rounded(.up)))
    }
}
