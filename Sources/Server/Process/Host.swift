// The threaded server: shards, sites, and what all of them share.
// SPDX-License-Identifier: Apache-2.0

import Configuration
import Control
import Exchange
import Handlers
import Platform
import Synchronization

/// Accepts connections and answers what comes on them, until it is told to leave.
final class Host: Sendable {
    /// A listening socket; open as long as the process lives.
    struct Listener: Sendable {
        let socket: Int32
        let address: SocketAddress
    }

    /// Passes an idle connection on, with a number for the answer; false when nobody can be asked.
    typealias Offer = @Sendable (_ id: UInt64, _ socket: Int32) -> Bool

    /// Connections that are on their way to a newer host.
    private struct Offers {
        var offer: Offer?
        var lastID: UInt64 = 0
        var tokens: [UInt64: (shard: Shard, token: UInt64)] = [:]
    }

    let router: Router
    let listeners: [Listener]
    let accessLog: AccessLog?
    /// The same for requests, which count no reference to what all threads share.
    private let borrowedAccessLog: Unmanaged<AccessLog>?
    let errorLog: ErrorLog
    let complaints: Complaints
    let bodyLimits: RequestBody.Limits
    let backlogLimits: ResponseBacklog.Limits
    let paceLimits: SendPace.Limits
    let connectionLimits: HTTP1Life.Limits
    /// Seconds that a request waits for a thread which may run its handler.
    let queueTimeout: Double
    /// Seconds of a call that returned HSE_STATUS_PENDING.
    let pendingTimeout: Double
    /// What responses that wait for their clients may hold in memory, and bodies and responses in files.
    let memoryBudget: ByteBudget
    let spoolBudget: ByteBudget
    private(set) nonisolated(unsafe) var shards: [Shard] = []
    // because it is filled before the first thread starts and never changes afterwards
    private let requestLimits: RequestLimits
    private let leaving = Atomic<Bool>(false)
    private let handingOver = Atomic<Bool>(false)
    private let offers = Mutex(Offers())
    /// Where the supervisor sees that the host is alive.
    let health: HealthPage?

    init(
        settings: Settings, listeners: [Int32], router: Router, errorLog: ErrorLog,
        accessLog: AccessLog?, health: HealthPage? = nil
    ) throws(SystemError) {
        self.health = health
        self.router = router
        self.errorLog = errorLog
        self.accessLog = accessLog
        borrowedAccessLog = accessLog.map(Unmanaged.passUnretained)
        complaints = Complaints(errorLog)
        let limits = settings.limits
        let timeouts = settings.timeouts
        memoryBudget = ByteBudget(limit: limits.buffers)
        spoolBudget = ByteBudget(limit: limits.spool)
        bodyLimits = RequestBody.Limits(
            total: limits.body, memory: limits.bodyInMemory, folder: limits.temporaryFolder,
            spool: spoolBudget)
        backlogLimits = ResponseBacklog.Limits(
            memory: limits.responseBuffer, file: limits.responseFile,
            folder: limits.temporaryFolder, memoryBudget: memoryBudget, fileBudget: spoolBudget)
        paceLimits = SendPace.Limits(
            send: timeouts.send, response: timeouts.response, leastRate: Double(limits.leastRate))
        connectionLimits = HTTP1Life.Limits(
            head: timeouts.head, body: timeouts.body, keepAlive: timeouts.keepAlive,
            receive: timeouts.receive, leastRate: Double(limits.leastRate))
        queueTimeout = timeouts.queue
        pendingTimeout = timeouts.request
        requestLimits = RequestLimits(
            requestLine: limits.requestLine, head: limits.head, fields: limits.fields)
        self.listeners = listeners.map {
            Listener(socket: $0, address: Socket.localAddress($0))
        }
        try makeShards(settings)
    }

    private func makeShards(_ settings: Settings) throws(SystemError) {
        let processors = Thread.processors
        let most = settings.threads.max
        let least = min(most, settings.threads.min > 0 ? settings.threads.min : processors)
        let wanted = settings.threads.shards > 0 ? settings.threads.shards : (processors + 7) / 8
        let count = min(wanted, most)
        let connections = Self.affordable(settings.limits.connections, errorLog)
        try Limits.makeRoom(forDescriptors: connections + Self.mostOthers)
        for index in 0..<count {
            // What does not divide evenly goes to the first ones.
            let threads = Shard.Threads(
                min: max(1, least / count + (index < least % count ? 1 : 0)),
                max: most / count + (index < most % count ? 1 : 0))
            shards.append(
                try Shard(
                    host: self, capacity: (connections + count - 1) / count, threads: threads))
        }
    }

    /// Descriptors for files, workers, scripts and logs.
    private static let mostOthers = 1024

    /// So many connections that descriptors are left for files, workers, scripts and logs.
    private static func affordable(_ wanted: Int, _ log: ErrorLog) -> Int {
        let open = Limits.openFiles
        let affordable = max(8, open - min(mostOthers, max(64, open / 4)))
        guard wanted > affordable else { return wanted }
        log.log(
            .warning,
            "limits.connections is \(wanted), but this process may open only \(open) files: it takes"
                + " \(affordable) connections; raise the limit on open files")
        return affordable
    }

    /// Starts the threads that serve; they sleep until `listen`.
    func start() throws(SystemError) {
        for shard in shards { try shard.start() }
    }

    /// Accepts connections from now on, and keeps time.
    func listen() throws(SystemError) {
        CoarseClock.tick()
        for shard in shards { try shard.listen() }
        try Thread.start(named: "mortise clock") { [self] in
            var clock = Clock(host: self)
            clock.run()
        }
    }

    func makeWorkingSet() -> HTTP1WorkingSet {
        HTTP1WorkingSet(limits: requestLimits, errorLog: errorLog)
    }

    /// `sent`: the bytes of the body that went out, when those are not all that the handler has said.
    func logAccess(_ exchange: Exchange, sent: Int64 = .max) {
        borrowedAccessLog?._withUnsafeGuaranteedRef { log in
            let refused = exchange.refused
            log.append(exchange, refused: refused.span, sent: sent)
        }
    }

    /// A quarter of the threads there may be never comes back from calls.
    var hasLostTooManyThreads: Bool {
        var lost = 0
        var most = 0
        for shard in shards {
            lost += shard.writtenOff.load(ordering: .relaxed)
            most += shard.threadCount.max
        }
        return lost * 4 >= most
    }

    /// The number of open connections.
    var connectionCount: Int {
        var count = 0
        for shard in shards { count += shard.connections.count }
        return count
    }

    // MARK: Leaving

    /// Whether the host finishes what it has and takes nothing new.
    var isLeaving: Bool { leaving.load(ordering: .relaxed) }
    /// Whether idle connections go to a newer host.
    var handsOver: Bool { handingOver.load(ordering: .relaxed) }

    /// The process ends within moments: nothing new is taken, and what becomes idle is offered.
    /// Async-signal-safe.
    func dies() {
        handingOver.store(true, ordering: .sequentiallyConsistent)
        leaving.store(true, ordering: .sequentiallyConsistent)
    }

    /// To whom idle connections are offered, when that should be necessary.
    func willOffer(_ offer: Offer?) { offers.withLock { $0.offer = offer } }

    /// Accepts nothing more. Idle connections are offered to a newer host, or closed when there is none.
    func leave(offering offer: Offer?) {
        for shard in shards { shard.stopListening() }
        willOffer(offer)
        handingOver.store(offer != nil, ordering: .sequentiallyConsistent)
        leaving.store(true, ordering: .sequentiallyConsistent)
        wakeIdle()
    }

    /// The server stops: there is no newer host any more.
    func stopOffering() { handingOver.store(false, ordering: .sequentiallyConsistent) }

    /// Tells every idle connection that the host leaves. Called again and again while any is left.
    func wakeIdle() {
        for shard in shards {
            shard.connections.visit {
                if $0.isIdle { shard.wake($0, .leaving) }
            }
        }
    }

    /// Offers a connection that has left its poller; the answer comes by `Connection.offerWasAnswered`.
    /// False: enough are on their way.
    func mayOffer(_ connection: Connection) -> Bool {
        offers.withLock { $0.tokens.count < HostMessage.mostHandOvers }
    }

    func offer(_ connection: Connection) {
        let shard = connection.shard
        let token = connection.token
        let (id, offer) = offers.withLock { offers in
            offers.lastID += 1
            offers.tokens[offers.lastID] = (shard, token)
            return (offers.lastID, offers.offer)
        }
        if offer?(id, connection.transport.descriptor) != true {
            offerWasAnswered(id, accepted: false)
        }
    }

    /// A newer host has taken the connection, or has not.
    func offerWasAnswered(_ id: UInt64, accepted: Bool) {
        guard let (shard, token) = offers.withLock({ $0.tokens.removeValue(forKey: id) }) else {
            return
        }
        shard.connections.connection(token)?.offerWasAnswered(accepted: accepted)
    }

    /// A free slot for a connection of an older host, which `Shard.adopt` fills; nil when there is none.
    func takeSlot() -> Connection? {
        var emptiest = shards[0]
        for shard in shards where shard.connections.count < emptiest.connections.count {
            emptiest = shard
        }
        return emptiest.connections.take(for: emptiest)
    }
}
