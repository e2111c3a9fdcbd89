// The threaded server: one epoll instance, its connections, and the threads that run them.
// SPDX-License-Identifier: Apache-2.0

import Configuration
import Control
import Exchange
import Handlers
import Platform
import Synchronization

/// Accepts connections and gives each of their events a thread.
final class HostServer: Sendable {
    let poller: Poller
    let router: Router
    let activities: ActivityStock
    let pool: ThreadPool
    let timeouts: Settings.Timeouts
    let bodyLimit: Int64
    let bodyInMemory: Int
    let temporaryFolder: String
    let errorLog: ErrorLog
    let accessLog: AccessLog?
    let connections: ConnectionTable
    private let listeners: [Listener]
    private let minimumThreads: Int
    /// No thread waits for work: each takes several events at a time. The monitor's finding.
    let isSaturated = Atomic<Bool>(false)
    private let leaving = Atomic<Bool>(false)
    private let handingOver = Atomic<Bool>(false)
    /// Passes a connection on to the supervisor, with a number for its answer; false when that is gone.
    typealias Offer = @Sendable (UInt64, Int32) -> Bool
    private let offers = Mutex(Offers())
    let health: HealthPage?
    /// Accepting stopped for want of descriptors or slots: the monitor tries again.
    let isAcceptPaused = Atomic<Bool>(false)

    /// A listening socket; open as long as the process lives.
    struct Listener {
        let socket: Int32
        let address: SocketAddress
    }

    /// Tokens of listeners have this bit; those of connections are generation and slot.
    private static let listenerBit: UInt64 = 1 << 31

    init(
        settings: Settings, listeners: [Int32], router: Router, errorLog: ErrorLog,
        accessLog: AccessLog?, health: HealthPage? = nil
    ) throws(SystemError) {
        poller = try Poller()
        self.router = router
        self.errorLog = errorLog
        self.accessLog = accessLog
        self.health = health
        timeouts = settings.timeouts
        bodyLimit = settings.limits.body
        bodyInMemory = settings.limits.bodyInMemory
        temporaryFolder = settings.limits.temporaryFolder
        minimumThreads =
            settings.threads.min > 0 ? settings.threads.min : Thread.processors
        pool = ThreadPool(most: max(minimumThreads, settings.threads.max))
        connections = ConnectionTable(capacity: settings.limits.connections)
        let head = RequestLimits(
            requestLine: settings.limits.requestLine, head: settings.limits.head,
            fields: settings.limits.fields)
        let limits = ExchangeLimits(
            responseBuffer: settings.limits.responseBuffer, sendTimeout: settings.timeouts.send)
        activities = ActivityStock {
            Activity(exchange: Exchange(limits: limits, errorLog: errorLog), limits: head)
        }
        self.listeners = listeners.map {
            Listener(socket: $0, address: Socket.localAddress($0))
        }
    }

    /// Whether the host finishes what it has and takes nothing new.
    var isLeaving: Bool { leaving.load(ordering: .relaxed) }
    /// Whether idle connections go to a newer host.
    var canHandOver: Bool { handingOver.load(ordering: .relaxed) }

    /// Starts the threads and listens.
    func start() throws(SystemError) {
        connections.fill(for: self)
        for index in listeners.indices {
            try poller.add(
                listeners[index].socket, [.readable, .edge, .exclusive],
                token: Self.listenerBit | UInt64(index))
        }
        for _ in 0..<minimumThreads { _ = try pool.grow(server: self, isPermanent: true) }
        try Thread.start(named: "mortise monitor") { [self] in
            var monitor = Monitor(server: self)
            monitor.run()
        }
    }

    func dispatch(_ token: UInt64, _ events: Poller.Events, on thread: PoolThread) {
        if token & Self.listenerBit != 0 {
            accept(Int(token & ~Self.listenerBit))
            return
        }
        let slot = Int(token & 0x7fff_ffff)
        connections.ready(
            slot, on: thread, generation: UInt32(truncatingIfNeeded: token >> 32),
            hasEnded: events.contains(.peerClosed))
    }

    func rearm(_ socket: Int32, token: UInt64) {
        do throws(SystemError) {
            try poller.rearm(socket, [.readable, .writable, .peerClosed, .edge], token: token)
        } catch {
            errorLog.log(.error, "cannot watch a connection again: \(error)")
        }
    }

    func logAccess(_ exchange: Exchange) {
        guard let accessLog else { return }
        let refused = exchange.refused
        accessLog.append(exchange, refused: refused.span)
    }

    // MARK: Accepting

    func acceptAll() {
        for index in listeners.indices { accept(index) }
    }

    private func accept(_ index: Int) {
        let listener = listeners[index].socket
        while !isLeaving {
            do throws(SystemError) {
                guard let (socket, peer) = try Socket.accept(listener) else { return }
                open(socket, peer: peer, local: listeners[index].address)
            } catch {
                // EMFILE, ENFILE, ENOBUFS, ENOMEM: the connection stays in the queue (man 2 accept).
                if !isAcceptPaused.exchange(true, ordering: .relaxed) {
                    errorLog.log(
                        .error,
                        "cannot accept connections for now: \(error); trying again; raise the limit on"
                            + " open files or lower limits.connections")
                }
                return
            }
        }
    }

    /// Takes a connection in: a new one, or one of an older host.
    func open(
        _ socket: Int32, peer: SocketAddress, local: SocketAddress, stays: Bool = false
    ) {
        guard let connection = connections.take() ?? makeRoom() else {
            isAcceptPaused.store(true, ordering: .relaxed)
            Socket.setResetOnClose(socket)
            closeDescriptor(socket)
            return
        }
        if case .unix = local {} else { Socket.setNoDelay(socket) }
        connection.open(socket, peer: peer, local: local, stays: stays)
        do throws(SystemError) {
            try poller.add(
                socket, [.readable, .writable, .peerClosed, .edge], token: connection.token)
        } catch {
            errorLog.log(.error, "cannot watch a connection: \(error); closed it")
            if connection.claim() { _ = connection.close(on: nil) }
        }
    }

    /// All slots are taken: the connection that has been idle the longest makes room.
    private func makeRoom() -> Connection? {
        while let oldest = connections.oldestIdle() {
            guard oldest.claim() else { continue }
            if oldest.phase == .idle {
                _ = oldest.close(on: nil)
                return connections.take()
            }
            oldest.releaseTurn()
        }
        return nil
    }

    func close(_ connection: Connection) {
        connection.didClose()
        connections.give(connection)
    }

    // MARK: Leaving

    /// Connections that are on their way to a newer host, kept here until it has them.
    private struct Offers {
        var offer: Offer?
        var lastID: UInt64 = 0
        var sockets: [UInt64: Int32] = [:]
    }

    /// Accepts nothing more. Idle connections are offered to a newer host.
    func leave(_ offer: @escaping Offer) {
        for index in listeners.indices {
            // A connection announced to this host alone must not be left in the queue unseen.
            accept(index)
            try? poller.remove(listeners[index].socket)
            accept(index)
        }
        offers.withLock { $0.offer = offer }
        handingOver.store(true, ordering: .relaxed)
        leaving.store(true, ordering: .sequentiallyConsistent)
    }

    /// The server stops: there is no newer host any more.
    func stopHandingOver() { handingOver.store(false, ordering: .relaxed) }

    /// Whether one more can be on its way.
    var mayOffer: Bool {
        canHandOver && offers.withLock { $0.sockets.count < HostMessage.mostHandOvers }
    }

    var isEmpty: Bool { connections.count == 0 && offers.withLock { $0.sockets.isEmpty } }

    var hasRoom: Bool { connections.hasRoom }

    /// Offers an idle connection; from now on the socket is this table's. False: the supervisor is gone.
    func handOver(_ socket: Int32) -> Bool {
        let (id, offer) = offers.withLock { offers in
            offers.lastID += 1
            offers.sockets[offers.lastID] = socket
            return (offers.lastID, offers.offer)
        }
        if let offer, offer(id, socket) { return true }
        return offers.withLock { $0.sockets.removeValue(forKey: id) } == nil
    }

    /// The supervisor's answer: the connection is a newer host's now, or stays here until its next request.
    func handedOver(_ id: UInt64, accepted: Bool) {
        guard let socket = offers.withLock({ $0.sockets[id] }) else { return }
        if accepted { closeDescriptor(socket) } else { adopt(socket, stays: true) }
        // Only now, so that the host does not count as empty in between.
        offers.withLock { _ = $0.sockets.removeValue(forKey: id) }
    }

    /// Takes an idle connection in: of an older host, or one that nobody else took.
    func adopt(_ socket: Int32, stays: Bool = false) {
        open(
            socket, peer: Socket.peerAddress(socket), local: Socket.localAddress(socket),
            stays: stays)
    }
}
