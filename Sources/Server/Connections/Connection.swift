// A client's connection: who may run it, and what becomes of it after a turn.
// SPDX-License-Identifier: Apache-2.0

import Configuration
import Synchronization
import Exchange
import ExtensionHost
import Handlers
import Platform
import Synchronization

/// One slot for a client's connection. Slots are never freed, so a late event finds a slot, not a hole.
///
/// Turns, one atomic:
///
///     idle ──event──► running ──event──► notified
///      ▲                 │                  │
///      └────turn over────┘◄───turn over─────┘   (notified: runs again)
///
/// Only the thread that made it running touches anything but the atomics. An exchange that waits
/// without a thread (parked, PENDING) keeps its connection running; `schedule` gives it a thread again.
final class Connection: @unchecked Sendable {
    // because all state but the atomics belongs to the thread whose turn it is

    private enum Turn {
        static let idle: UInt8 = 0
        static let running: UInt8 = 1
        static let notified: UInt8 = 2
    }

    private enum Hold {
        static let none: UInt8 = 0
        static let held: UInt8 = 1
        static let resumed: UInt8 = 2
    }

    /// What the connection does, or waits for.
    enum Phase {
        /// No connection in this slot.
        case free
        /// Between requests: no buffer, no thread.
        case idle
        case head, body
        /// A handler runs, or its exchange is parked or pending.
        case handling
        /// The response is complete but not yet with the kernel.
        case sending
        /// The response is out; what the client still sends is read away before closing.
        case lingering
    }

    /// How a turn ended.
    enum Rest {
        case waiting, held, closed
    }

    let slot: Int
    unowned(unsafe) let server: HostServer
    private let turn = Atomic<UInt8>(Turn.idle)
    private let hold = Atomic<UInt8>(Hold.none)
    /// Nanoseconds on the monotonic clock; Int64.max = none.
    let deadline = Atomic<Int64>(.max)
    /// Counts the slot's connections, so that an event for an earlier one is known.
    let generation = Atomic<UInt32>(0)
    /// Whether it waits for another request and for nothing else.
    let isIdle = Atomic<Bool>(false)
    /// The ticket of a PENDING call, for the monitor.
    let ticket = Mutex<PendingTicket?>(nil)

    var phase = Phase.free
    var socket: Int32 = -1
    var remote = SocketAddress.unix("")
    var local = SocketAddress.unix("")
    var activity: Activity?
    /// Who answers the request; not counted, for mappings live as long as the host.
    unowned(unsafe) var mapping: RoutedMapping?
    /// The socket had nothing more to give when last asked.
    var isDrained = false
    /// The client may have closed its side; that makes no second event after the bytes before it are read.
    var mayHaveEnded = false
    /// What is being sent is the answer to something that was no request: anything may follow it.
    var wasRefused = false
    /// No newer host has taken it: its next answer is its last.
    var staysHere = false
    var requests = 0
    var lingered = 0

    init(slot: Int, server: HostServer) {
        self.slot = slot
        self.server = server
    }

    var token: UInt64 {
        UInt64(generation.load(ordering: .relaxed)) << 32 | UInt64(truncatingIfNeeded: slot)
    }

    /// Puts a client's connection into this free slot.
    func open(
        _ socket: Int32, peer: SocketAddress, local: SocketAddress, stays: Bool = false
    ) {
        // A thread with an event of the slot's last connection may have the turn, for a few instructions.
        while !claim() {}
        self.socket = socket
        remote = peer
        self.local = local
        staysHere = stays
        requests = 0
        wasRefused = false
        phase = .head
        setDeadline(server.timeouts.head, from: .now)
        turn.store(Turn.idle, ordering: .releasing)
    }

    /// Frees the slot. The caller has the turn.
    func didClose() {
        let socket = socket
        free()
        closeDescriptor(socket)
    }

    /// Frees the slot; the socket is the caller's.
    func free() {
        generation.wrappingAdd(1, ordering: .releasing)
        deadline.store(.max, ordering: .relaxed)
        isIdle.store(false, ordering: .relaxed)
        phase = .free
        socket = -1
        turn.store(Turn.idle, ordering: .releasing)
    }

    /// Whether nobody runs it now.
    var isAtRest: Bool { turn.load(ordering: .relaxed) == Turn.idle }

    // MARK: Turns

    /// Takes the turn for something other than an event; false when somebody has it.
    func claim() -> Bool {
        turn.compareExchange(
            expected: Turn.idle, desired: Turn.running, ordering: .acquiring
        ).exchanged
    }

    /// An event: runs the connection, or tells the thread that does to look again.
    func ready(on thread: PoolThread, generation expected: UInt32, hasEnded: Bool) {
        while true {
            let (taken, seen) = turn.compareExchange(
                expected: Turn.idle, desired: Turn.running, ordering: .acquiring)
            if taken { break }
            if seen == Turn.notified { return }
            let (noted, _) = turn.compareExchange(
                expected: Turn.running, desired: Turn.notified, ordering: .acquiringAndReleasing)
            if noted { return }
        }
        guard generation.load(ordering: .relaxed) == expected, phase != .free else {
            // An event of a connection that has ended since; the slot's new one may have noted its own.
            return releaseTurn()
        }
        mayHaveEnded = hasEnded
        run(on: thread)
    }

    /// Runs until the connection has to wait. The caller has the turn.
    func run(on thread: PoolThread) {
        isDrained = false
        while true {
            switch advance(on: thread) {
            case .closed, .held:
                return
            case .waiting:
                if endTurn() { return }
                isDrained = false
                mayHaveEnded = true
            }
        }
    }

    /// Goes on with an exchange that was parked, if its first thread has left it.
    func continueHeld(on thread: PoolThread) {
        guard endHold() else { return }
        mayHaveEnded = false
        if let rest = resumed(on: thread), rest == .closed { return }
        run(on: thread)
    }

    /// Gives the turn back; false when an event came meanwhile and it must run again.
    func endTurn() -> Bool {
        let (ended, _) = turn.compareExchange(
            expected: Turn.running, desired: Turn.idle, ordering: .acquiringAndReleasing)
        if !ended { _ = turn.exchange(Turn.running, ordering: .acquiring) }
        return ended
    }

    /// Gives the turn back without having run; an event that came meanwhile is asked for anew.
    func releaseTurn() {
        if endTurn() { return }
        if phase == .free { return turn.store(Turn.idle, ordering: .releasing) }
        passTurn()
    }

    /// Gives the turn to whatever thread takes the next event: the socket's readiness is reported anew.
    ///
    /// Asks for the event first, for without the turn the socket may be closed and its number another's.
    /// A thread that is so quick that it finds the turn taken notes it, and the event is asked for again.
    private func passTurn() {
        repeat { server.rearm(socket, token: token) } while !endTurn()
    }

    // MARK: Exchanges that wait without a thread

    /// Before a handler is called.
    func prepareHold() { hold.store(Hold.none, ordering: .relaxed) }

    /// After a handler left its exchange pending: true = wait, false = it was resumed meanwhile.
    func beginHold() -> Bool {
        hold.exchange(Hold.held, ordering: .acquiringAndReleasing) == Hold.none
    }

    /// Ends the wait: true = the caller has the turn now, false = the thread that is still leaving has.
    func endHold() -> Bool {
        hold.exchange(Hold.resumed, ordering: .acquiringAndReleasing) == Hold.held
    }

    /// Whether a wait has ended and nobody has gone on with the exchange yet.
    var hasResumed: Bool { hold.load(ordering: .acquiring) == Hold.resumed }
}

/// A PENDING call that may have to be ended by its deadline.
struct PendingTicket: Sendable {
    let call: PendingCall
    let deadline: Instant
}

extension Connection: ExchangeOwner {
    /// Gives the exchange a thread of the pool: its socket's readiness is reported anew.
    func schedule(_ exchange: Exchange) {
        guard endHold() else { return }
        passTurn()
    }
}
