// The life of an HTTP/1 connection as a value: what it does, and what has to end it.
// SPDX-License-Identifier: Apache-2.0

import Configuration
import Platform

/// Phases and deadlines of one connection: events in, decisions out, time as an argument; no socket.
///
///     idle ──byte──► head ──complete──► body ──complete──► handling ──► sending ──kept──► idle
///      │  ▲           │                  │                                │
///      │  └─ handed ──┼──────────────────┴──── refused ──────────────────►│
///      │     over?    │                                                   └─closes─► lingering ─► closed
///      └──────────────┴── too slow, gone ──────────────────────────────────────────────────────► closed
struct HTTP1Life {
    enum Phase: Equatable {
        /// No connection in this slot.
        case free
        /// Between requests, or before the first: no buffer, no thread.
        case idle
        case head, body
        /// A handler runs, or its exchange is parked or pending.
        case handling
        /// The response is complete but not yet with the kernel.
        case sending
        /// The response is out; what the client still sends is read away before closing.
        case lingering
        /// Offered to a newer host, untouched until the answer.
        case offered
        case closing
    }

    /// Seconds.
    struct Limits: Sendable {
        var head: Double
        var body: Double
        var keepAlive: Double
        /// A whole body.
        var receive: Double
        /// Bytes a second of a body at least, after the grace; 0 = any.
        var leastRate: Double
        /// Lingering before a close.
        var linger = 1.0
    }

    /// What follows a response.
    enum Following: Equatable {
        /// The next request on the same connection.
        case next
        /// An idle connection of a host that leaves goes to the newer one.
        case offer
        /// What the client still sends is read away first: closing with unread bytes would reset the
        /// connection and might destroy the answer on its way (RFC 9112 §9.6).
        case linger
        case close
        /// The client must be able to tell that its answer is not whole.
        case reset
    }

    /// What a deadline that has passed means.
    enum Expiry: Equatable {
        /// It was moved meanwhile.
        case notYet
        /// The client took too long (RFC 9110 §15.5.9).
        case timeout
        case close
        /// A PENDING call is over.
        case revoke
    }

    /// Bytes that are read away at most before a close.
    static let mostLingered = 1 << 20

    private(set) var phase = Phase.free
    /// When the clock is to run the connection.
    private(set) var due = Instant.never
    private var pace = ReceivePace(now: Instant(nanoseconds: 0))
    private var lingered = 0
    /// Requests whose heads have come, here or in an older host.
    private(set) var requests = 0
    /// What is being sent answers something that was no request: anything may follow it.
    private var wasRefused = false
    /// No newer host takes it.
    private(set) var isUnwanted = false

    // MARK: Beginning

    mutating func open(_ limits: Limits, now: Instant) {
        self = HTTP1Life()
        phase = .idle
        // Who connects and says nothing is a head that does not come.
        due = now.adding(seconds: limits.head)
    }

    /// An older host has handed it over, idle.
    mutating func adopt(_ limits: Limits, now: Instant) {
        self = HTTP1Life()
        requests = 1
        becameIdle(limits, now: now)
    }

    /// The first bytes of a request are there, and more must come.
    mutating func headBegan(_ limits: Limits, now: Instant) {
        guard phase == .idle else { return }
        phase = .head
        if requests > 0 { due = now.adding(seconds: limits.head) }
    }

    /// Waits for another request.
    mutating func becameIdle(_ limits: Limits, now: Instant) {
        phase = .idle
        due = now.adding(seconds: limits.keepAlive)
    }

    mutating func headCompleted() {
        requests += 1
        phase = .handling
    }

    mutating func bodyBegan(_ limits: Limits, now: Instant) {
        phase = .body
        pace = ReceivePace(now: now)
        due = pace.due(limits, now: now)
    }

    /// Bytes of the body have come. False: they come too slowly, or the whole has taken too long.
    mutating func bodyCame(_ count: Int, _ limits: Limits, now: Instant) -> Bool {
        let isFast = pace.came(count, limits, now: now)
        due = pace.due(limits, now: now)
        return isFast
    }

    mutating func bodyCompleted() { phase = .handling }

    /// The handler runs without a deadline of the connection's.
    mutating func handlerBegan() { due = .never }

    /// The extension keeps the exchange until then at most.
    mutating func becamePending(until end: Instant) { due = end }

    mutating func refused() {
        wasRefused = true
        answered()
    }

    mutating func answered() {
        phase = .sending
        due = .never
    }

    // MARK: After a response

    /// What was seen of a connection whose response is with the kernel.
    struct AfterResponse {
        var isCut: Bool
        var keepsConnection: Bool
        var hasBody: Bool
        /// Nothing of the client's is left unread, as far as is known.
        var isDrained: Bool
        var hasInput: Bool
        var isLeaving: Bool
        var canOffer: Bool
    }

    func following(_ seen: AfterResponse) -> Following {
        if seen.isCut { return .reset }
        if seen.keepsConnection {
            guard seen.isLeaving, !seen.hasInput else { return .next }
            return seen.canOffer && !isUnwanted ? .offer : .close
        }
        return seen.isDrained && !wasRefused && !seen.hasBody && !seen.hasInput ? .close : .linger
    }

    mutating func lingers(_ limits: Limits, now: Instant) {
        phase = .lingering
        lingered = 0
        due = now.adding(seconds: limits.linger)
    }

    /// False: enough was read away.
    mutating func lingersOn(_ count: Int) -> Bool {
        lingered += count
        return lingered <= Self.mostLingered
    }

    mutating func offered() {
        phase = .offered
        due = .never
    }

    /// No newer host takes it: it is served on, and closed after its next answer.
    mutating func returned(_ limits: Limits, now: Instant) {
        isUnwanted = true
        becameIdle(limits, now: now)
    }

    mutating func closes() {
        phase = .closing
        due = .never
    }

    mutating func closed() { self = HTTP1Life() }

    // MARK: Time

    func expiry(now: Instant) -> Expiry {
        guard due <= now else { return .notYet }
        switch phase {
        case .free, .offered, .closing, .sending: return .notYet
        case .idle, .lingering: return .close
        case .head, .body: return .timeout
        case .handling: return .revoke
        }
    }
}
