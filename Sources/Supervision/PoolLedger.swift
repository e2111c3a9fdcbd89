// Who holds which worker of one pool, and which process is to start or end next.
// SPDX-License-Identifier: Apache-2.0

import Control
import Platform

/// The processes of one pool as a value: events in, actions out, time as an argument.
///
///     spawn ──► connecting ──accepted──► spare ──grant──► held by a host
///                  ▲  │ too late                            │
///                  │  └──────► killed                       ├─ released served, surplus ─► ending ─► killed
///                  │                                        ├─ released broken ─► killed
///                  │                      ▲                 ├─ released untouched ──┐
///                  │                      └─────────────────│───────────────────────┘
///                  └─────────────── reconnect ◄─────────────└─ released idle, or its host died
///
/// A worker is connecting until it has accepted the connection that was made for it: before that it may
/// be starting, or busy with a request that nobody waits for any more. Whatever its state, a process
/// counts against the pool's maximum until it has been reaped.
///
/// A foreign program that ends while a host holds it is started again at the same socket: the host may
/// just have made a connection there, which its successor then answers. Our own worker never ends
/// without having crashed, and a crash ends what its host waits for.
struct PoolLedger: Sendable {
    typealias HostID = UInt64
    typealias WorkerID = UInt64

    struct Limits: Sendable, Equatable {
        var name: String
        var minimum: Int
        var maximum: Int
        /// Seconds until a new worker must have accepted its connection.
        var startTimeout: Double
        /// Its program is not ours.
        var isForeign = false
        /// Crashes within a minute after which it is left alone for a while; 0: never.
        var rapidFails = 0
    }

    enum Event: Sendable, Equatable {
        /// The host serves from now on: it gets what is spare, and the minimum is kept for it.
        case hostServes(HostID)
        case hostGone(HostID)
        case wanted(by: HostID)
        case released(WorkerID, by: HostID, ReleaseReason)
        /// Answers to `Action.spawn`.
        case spawned(WorkerID)
        case spawnFailed(reason: String)
        /// Answer to `Action.restart` when it could not be done.
        case restartFailed(WorkerID, after: ProcessEnd, reason: String)
        /// No process is started after all: nobody is to blame.
        case spawnCancelled
        /// Answer to `Action.check`: the worker's queue of connections is empty.
        case accepted(WorkerID)
        /// Answer to `Action.reconnect` when it could not be done: its listener is gone or full.
        case unreachable(WorkerID, reason: String)
        /// Answer to `Action.reconnect` or `.check`: the supervisor lacks what a connection takes - open files,
        /// memory -, which is no fault of the worker's.
        case connectionsAreShort(WorkerID)
        /// `isExplained`: a line of the log says why.
        case ended(WorkerID, ProcessEnd, isExplained: Bool = false)
        /// A host has got an answer from the pool on trial.
        case healed
        /// An operator has had enough of it, or has thought better of it.
        case quarantined, freed
        /// The pool is no longer configured, or the server stops: no minimum is kept, and what nobody
        /// holds ends. Hosts that still have requests for it are served.
        case retired
        /// The worker is to be exchanged, see `PoolReplacement`.
        case outlived(WorkerID)
        /// `deadline` has passed.
        case tick
    }

    enum Action: Sendable, Equatable {
        case spawn
        /// Start another process in place of one that has ended so, at the same socket.
        case restart(WorkerID, after: ProcessEnd)
        /// Make a new connection to the worker, in place of the one it had.
        case reconnect(WorkerID)
        /// Has the worker accepted its connection? One that could not be made is tried again.
        case check(WorkerID)
        /// `isAsked`: it answers a want of that host.
        case grant(WorkerID, to: HostID, isAsked: Bool)
        /// Answers so many wants of that host.
        case deny(HostID, count: Int, reason: String, retryAfterSeconds: Int)
        /// Tell all hosts to refuse requests for so long, then to try one.
        case quarantine(reason: String, seconds: Int)
        /// Tell all hosts that the quarantine is over.
        case release
        /// Ask the host to give one of its workers back: another host waits for it.
        case reclaim(from: HostID)
        /// Tell the host to let go of its worker when that has no request.
        case retire(WorkerID, from: HostID)
        /// SIGTERM, later SIGKILL.
        case terminate(WorkerID)
        case kill(WorkerID)
        /// Tell the host that its worker is dead.
        case tellEnded(WorkerID, ProcessEnd, to: HostID)
        /// For the error log; nothing more is to be done.
        case log(String)
    }

    /// Seconds between SIGTERM and SIGKILL.
    static let patience = 5.0
    /// Seconds a worker gets to accept a new connection when its host has died or let go of it: the grace of one
    /// whose client has left.
    static let reconnectPatience = 1.0
    /// Seconds in which a host lets go of a worker that died of its request; then no successor is needed.
    static let releasePatience = 0.05
    /// Failures in a row from which on those who ask are refused instead of kept waiting.
    static let refusal = 3

    let limits: Limits
    /// Processes of the same name under an older configuration: they count against the maximum.
    var elsewhere = 0
    var workers: [WorkerID: PoolWorker] = [:]
    /// The exchange under way. See PoolLedger+Replacement.swift.
    var replacement: PoolReplacement?
    private(set) var isRetired = false
    /// The program has ended by itself, with success: it counts its requests, or its time.
    private(set) var endsByItself = false
    private var current: HostID?
    /// One entry for each worker asked for, in order.
    private var wants: [HostID] = []
    private var spawning = 0
    /// Workers the current host has been asked to give back and has not yet.
    private var reclaimed = 0
    private var backoff = Backoff()
    private var rate: StartRate
    private var lastReason = ""
    private var loggedReason = ""
    private var quarantine: Quarantine

    init(_ limits: Limits) {
        self.limits = limits
        rate = StartRate(perSecond: 10, burst: max(10, limits.minimum))
        quarantine = Quarantine(limit: limits.rapidFails)
    }

    /// Nothing is left of a retired pool.
    var isOver: Bool { isRetired && workers.isEmpty && spawning == 0 }

    mutating func apply(_ event: Event, now: Instant) -> [Action] {
        var actions: [Action] = []
        switch event {
        case .hostServes(let host):
            // Who has mended the program and reloads need not wait for the next attempt. What the first host
            // finds, or the one after a death, has not been mended.
            if current != nil {
                backoff.reset()
                loggedReason = ""
            }
            current = host
            reclaimed = 0
            if quarantine.until != nil { actions.append(refusal(now)) }
        case .hostGone(let host): forget(host, now, &actions)
        case .wanted(let host): addWant(of: host)
        case .released(let id, let host, let reason): release(id, host, reason, now, &actions)
        case .spawned(let id):
            spawning -= 1
            workers[id] = PoolWorker(started: now)
            workers[id]?.connects(within: limits.startTimeout, now: now)
            successorSpawned(id)
        case .spawnFailed(let reason):
            spawning -= 1
            successorFailed()
            fail(reason, now, &actions)
            refuse(now, &actions)
        case .restartFailed(let id, let end, let reason):
            loseWorker(id, end, &actions)
            fail(reason, now, &actions)
            refuse(now, &actions)
        case .spawnCancelled:
            spawning -= 1
            successorFailed()
        case .accepted(let id): accept(id, now, &actions)
        case .unreachable(let id, let reason):
            kill(id, &actions)
            actions.append(
                .log("a worker cannot be reached any more (\(reason)); it is killed and replaced"))
        case .connectionsAreShort(let id):
            if workers[id]?.isConnecting == true { workers[id]?.waitsForConnection(now: now) }
        case .ended(let id, let end, let isExplained):
            processEnded(id, end, isExplained, now, &actions)
        case .healed:
            if quarantine.isOnTrial(now) {
                quarantine.close()
                actions.append(.log("a worker has answered again: the pool is out of quarantine"))
            }
        case .quarantined:
            quarantine.openByHand()
            actions.append(refusal(now))
        case .freed:
            backoff.reset()
            loggedReason = ""
            quarantine.close()
            actions.append(.release)
        case .outlived(let id): replace(id, now)
        case .retired: isRetired = true
        case .tick: checkTimes(now, &actions)
        }
        balance(now, &actions)
        advanceReplacement(now, &actions)
        return actions
    }

    /// When `tick` is due.
    func deadline(now: Instant) -> Instant {
        var deadline = Instant.never
        for worker in workers.values {
            if let successor = worker.successor {
                deadline = min(deadline, max(successor.from, rate.next(now: now)))
            }
            switch worker.state {
            case .connecting(_, let nextCheck, _): deadline = min(deadline, nextCheck)
            case .ending(let killAt): deadline = min(deadline, killAt)
            case .spare, .held, .killed: break
            }
        }
        if quarantine.isOpen(now), !wants.isEmpty { deadline = min(deadline, quarantine.until!) }
        if wantsSuccessor(now), room(now) >= 0 {
            deadline = min(deadline, max(now, rate.next(now: now)))
        }
        if missing(now) > 0 && room(now) > 0 {
            deadline = min(deadline, max(backoff.notBefore, rate.next(now: now)))
        }
        return deadline
    }

    // MARK: Events

    private mutating func addWant(of host: HostID) {
        // A host that asks without end gets no more places than there can be workers.
        let already = wants.count { $0 == host }
        if already < limits.maximum { wants.append(host) }
    }

    private mutating func release(
        _ id: WorkerID, _ host: HostID, _ reason: ReleaseReason, _ now: Instant,
        _ actions: inout [Action]
    ) {
        guard workers[id]?.state == .held(by: host) else { return }
        if host == current { reclaimed = max(0, reclaimed - 1) }
        guard workers[id]?.successor == nil else { return workers[id] = nil }
        guard workers[id]?.isRetiring != true || reason == .broken else {
            return terminate(id, now, &actions)
        }
        switch reason {
        case .idle where !isRetired || !wants.isEmpty: regain(id, now, &actions)
        case .untouched where !isRetired || !wants.isEmpty: workers[id]?.state = .spare
        case .idle, .untouched, .served, .surplus: terminate(id, now, &actions)
        case .broken: kill(id, &actions)
        }
    }

    private mutating func forget(_ host: HostID, _ now: Instant, _ actions: inout [Action]) {
        if current == host {
            current = nil
            reclaimed = 0
        }
        wants.removeAll { $0 == host }
        for id in workers.keys.sorted() where workers[id]?.state == .held(by: host) {
            guard workers[id]?.successor == nil else {
                workers[id] = nil
                continue
            }
            if isRetired { terminate(id, now, &actions) } else { regain(id, now, &actions) }
        }
    }

    private mutating func accept(
        _ id: WorkerID, _ now: Instant, _ actions: inout [Action]
    ) {
        guard workers[id]?.isConnecting == true else { return }
        workers[id]?.accepted()
        if workers[id]?.isRetiring == true { terminate(id, now, &actions) }
    }

    private mutating func processEnded(
        _ id: WorkerID, _ end: ProcessEnd, _ isExplained: Bool, _ now: Instant,
        _ actions: inout [Action]
    ) {
        guard let worker = workers[id] else { return }
        let lived = now.seconds(since: worker.started)
        if worker.hasDecided(end) { endsByItself = true }
        if limits.isForeign, worker.isRestarted(end, lived: lived) {
            let pause = end == .exited(code: 0) ? 0 : Self.releasePatience
            workers[id]?.successor = PoolWorker.Successor(
                after: end, from: now.adding(seconds: pause))
        } else {
            loseWorker(id, end, &actions)
        }
        if end == .killed(signal: 9), !worker.isLeaving {
            actions.append(
                .log(
                    "a worker was killed by SIGKILL from outside - by an operator, or by the kernel for"
                        + " want of memory; it is replaced"))
        }
        guard worker.isUnexpected(end) else { return }
        if worker.hasStarted, limits.isForeign || isExplained { countFault(now, &actions) }
        if worker.hasStarted {
            // It has worked: a request, or somebody with a signal, has killed this one. Its successor is
            // as good as any; `rate` is what keeps a program that dies of every request bearable.
            guard !isExplained else { return }
            actions.append(
                .log("a worker \(end) \(Self.age(lived)) after its start; it is replaced"))
            return
        }
        fail("\(end) \(Self.age(lived)) after its start", kind: "\(end)", now, &actions)
    }

    private mutating func loseWorker(
        _ id: WorkerID, _ end: ProcessEnd, _ actions: inout [Action]
    ) {
        guard let worker = workers.removeValue(forKey: id), case .held(let host) = worker.state
        else { return }
        actions.append(.tellEnded(id, end, to: host))
        if host == current { reclaimed = max(0, reclaimed - 1) }
    }

    private mutating func checkTimes(_ now: Instant, _ actions: inout [Action]) {
        for id in workers.keys.sorted() {
            switch workers[id]?.state {
            case .connecting(let until, _, _) where until <= now: giveUp(id, now, &actions)
            case .connecting(_, let nextCheck, _) where nextCheck <= now:
                workers[id]?.wasChecked(now: now)
                actions.append(.check(id))
            case .ending(let killAt) where killAt <= now: kill(id, &actions)
            case .connecting, .spare, .held, .ending, .killed, nil: break
            }
        }
    }

    // MARK: Decisions

    /// Gives what is spare, refuses what cannot be had, starts what is missing.
    private mutating func balance(_ now: Instant, _ actions: inout [Action]) {
        if quarantine.isOpen(now) { return isolate(now, &actions) }
        for id in workers.keys.sorted() where workers[id]?.state == .spare {
            if let host = wants.first ?? (isRetired ? nil : current) {
                let isAsked = !wants.isEmpty
                if isAsked { wants.removeFirst() }
                workers[id]?.state = .held(by: host)
                actions.append(.grant(id, to: host, isAsked: isAsked))
            } else if isRetired {
                terminate(id, now, &actions)
            }
        }
        restart(now, &actions)
        if backoff.failures >= Self.refusal && now < backoff.notBefore && connecting == 0 {
            refuse(now, &actions)
        }
        if quarantine.isOnTrial(now), wants.count > 1 { refuse(now, keeping: 1, &actions) }
        if wantsSuccessor(now), room(now) >= 0, rate.take(now: now) {
            replacement?.successor = .spawning
            spawning += 1
            actions.append(.spawn)
        }
        while missing(now) > 0 && room(now) > 0 && now >= backoff.notBefore && rate.take(now: now) {
            spawning += 1
            actions.append(.spawn)
        }
        reclaim(now, &actions)
    }

    /// Starts successors of processes that ended while a host held them.
    private mutating func restart(_ now: Instant, _ actions: inout [Action]) {
        for id in workers.keys.sorted() {
            guard let successor = workers[id]?.successor, successor.from <= now,
                rate.take(now: now)
            else { continue }
            workers[id]?.successor = nil
            workers[id]?.started = now
            actions.append(.restart(id, after: successor.after))
        }
    }

    /// A host that leaves has requests left, and all the workers there may be are the current host's: it
    /// shares them. Without this those requests would wait until their time is over.
    private mutating func reclaim(_ now: Instant, _ actions: inout [Action]) {
        guard let current, room(now) <= 0 else { return }
        let waiting = wants.count { $0 != current } - connecting - reclaimed
        let held = workers.values.count { $0.state == .held(by: current) } - reclaimed
        guard waiting > 0, held > 0 else { return }
        for _ in 0..<min(waiting, held) { actions.append(.reclaim(from: current)) }
        reclaimed += min(waiting, held)
    }

    /// Processes to be started for the minimum and for those who wait.
    private func missing(_ now: Instant) -> Int {
        // One is tried, and nobody else is started for.
        if quarantine.until != nil {
            return quarantine.isOnTrial(now) ? min(1, wants.count) - connecting : 0
        }
        let living =
            workers.values.count { !$0.isLeaving } + spawning - successors(whileLeaving: false)
        return max(isRetired ? 0 : limits.minimum - living, wants.count - connecting)
    }

    private var connecting: Int { spawning + workers.values.count { $0.isConnecting } }

    /// How many more may exist. One may always: else a pool whose older self is busy would stand still.
    private func room(_ now: Instant) -> Int {
        let most = quarantine.until == nil ? max(1, limits.maximum - elsewhere) : 1
        return most + successors(whileLeaving: true) - workers.count - spawning
    }

    /// No quarantine and no failure of the last minute speaks against another start.
    func canStart(_ now: Instant) -> Bool {
        quarantine.until == nil && now >= backoff.notBefore.adding(seconds: Backoff.forgiveness)
    }

    /// `kind`: the reason without what differs each time.
    private mutating func fail(
        _ reason: String, kind: String? = nil, _ now: Instant, _ actions: inout [Action]
    ) {
        let kind = kind ?? reason
        backoff.fail(now: now)
        lastReason = reason
        // The same again, time after time, is said once and then every few minutes.
        if kind != loggedReason || backoff.failures % 16 == 0 {
            let wait = max(0, backoff.notBefore.seconds(since: now))
            let next = wait > 0 ? "; the next start is in \(Self.age(wait))" : ""
            actions.append(.log("a worker \(reason) (failure \(backoff.failures) in a row)\(next)"))
        }
        loggedReason = kind
    }

    /// Answers all who wait: there is none to be had now.
    private mutating func refuse(
        _ now: Instant, keeping kept: Int = 0, _ actions: inout [Action]
    ) {
        let until = quarantine.until.map { max($0, backoff.notBefore) } ?? backoff.notBefore
        let wait = min(86400, max(1, until.seconds(since: now).rounded(.up)))
        let reason = quarantine.until == nil ? "the last worker \(lastReason)" : "its workers crash"
        var told: [HostID] = []
        let refused = wants.dropFirst(kept)
        for host in refused where !told.contains(host) {
            told.append(host)
            actions.append(
                .deny(
                    host, count: refused.count { $0 == host },
                    reason: "pool \(limits.name): \(reason)", retryAfterSeconds: Int(wait)))
        }
        wants = Array(wants.prefix(kept))
    }

    // MARK: Quarantine

    /// For an operator; nil: it is in none.
    func quarantineText(_ now: Instant) -> String? {
        guard let until = quarantine.until else { return nil }
        if until == .never { return "quarantined by an operator" }
        return quarantine.isOpen(now)
            ? "quarantined, tried in \(Self.age(until.seconds(since: now)))" : "on trial"
    }

    private mutating func countFault(_ now: Instant, _ actions: inout [Action]) {
        guard quarantine.failed(now: now) else { return }
        let pause = Self.age(quarantine.until!.seconds(since: now))
        actions.append(refusal(now))
        actions.append(
            .log(
                "its workers crash again and again: it is quarantined, and its requests get 503 at once;"
                    + " one request is tried in \(pause); mend the program, or raise"
                    + " rapid-fails-per-minute"))
    }

    private func refusal(_ now: Instant) -> Action {
        let wait = min(86400, max(0, quarantine.until?.seconds(since: now) ?? 0)).rounded(.up)
        let reason = quarantine.until == .never ? "an operator wants it" : "its workers crash"
        return .quarantine(
            reason: "pool \(limits.name) is quarantined: \(reason)", seconds: Int(wait))
    }

    /// Nobody is served, and no process waits for somebody to serve.
    private mutating func isolate(_ now: Instant, _ actions: inout [Action]) {
        refuse(now, &actions)
        for id in workers.keys.sorted() {
            guard let worker = workers[id], !worker.isLeaving else { continue }
            if case .held = worker.state { continue }
            terminate(id, now, &actions)
        }
    }

    private mutating func regain(_ id: WorkerID, _ now: Instant, _ actions: inout [Action]) {
        workers[id]?.connects(within: Self.reconnectPatience, now: now)
        actions.append(.reconnect(id))
    }

    private mutating func giveUp(_ id: WorkerID, _ now: Instant, _ actions: inout [Action]) {
        guard let worker = workers[id] else { return }
        kill(id, &actions)
        if worker.hasStarted {
            actions.append(
                .log("a worker was still busy with a request nobody waits for; it is replaced"))
        } else {
            fail(
                "did not accept a connection within \(Self.age(limits.startTimeout))", now, &actions
            )
            refuse(now, &actions)
        }
    }

    mutating func terminate(_ id: WorkerID, _ now: Instant, _ actions: inout [Action]) {
        workers[id]?.state = .ending(killAt: now.adding(seconds: Self.patience))
        actions.append(.terminate(id))
    }

    private mutating func kill(_ id: WorkerID, _ actions: inout [Action]) {
        workers[id]?.state = .killed
        actions.append(.kill(id))
    }

    /// "20 ms", "3.5 s".
    static func age(_ seconds: Double) -> String {
        if seconds < 1 { return "\(Int(seconds * 1000)) ms" }
        if seconds >= 60 { return "\(Int(min(seconds, 1e15))) s" }
        return "\((seconds * 10).rounded() / 10) s"
    }
}
