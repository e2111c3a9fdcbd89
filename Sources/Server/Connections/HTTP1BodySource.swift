// The rest of a body that its handler reads from the client of an HTTP/1 connection.
// SPDX-License-Identifier: Apache-2.0

import Exchange
import Handlers
import Platform

/// Receives for a handler that was called before the whole body was there.
///
/// From the call of a handler to the end of its exchange what the client sends is the runner's: who gets the
/// connection's turn meanwhile touches neither the input nor the receiving side of the socket. So a thread of
/// an extension that keeps its request (HSE_STATUS_PENDING) may read as well as the one that was called.
final class HTTP1BodySource: BodySource {
    // [runner]

    let limit: Int64
    private let limits: HTTP1Life.Limits
    // Not counted: both outlive the exchange that has this object.
    private let connection: Unmanaged<Connection>
    private let set: Unmanaged<HTTP1WorkingSet>
    private var pace = ReceivePace(now: .now)
    /// The client waits for `100 Continue` before it sends the body.
    private var owesContinue: Bool

    init(_ connection: Connection, _ set: HTTP1WorkingSet, _ host: Host) {
        limit = host.bodyLimits.total
        limits = host.connectionLimits
        self.connection = .passUnretained(connection)
        self.set = .passUnretained(set)
        owesContinue = Self.owesContinue(set)
        pace.pause(now: .now)
    }

    /// Nothing of the body has come, because the client waits to be asked for it (RFC 9110 §10.1.1).
    static func owesContinue(_ set: HTTP1WorkingSet) -> Bool {
        set.exchange.request.expectsContinue && set.input.isEmpty && set.exchange.body.length == 0
    }

    func withBytes(_ take: (UnsafeRawBufferPointer) -> Int) {
        set._withUnsafeGuaranteedRef { set in
            let taken = set.input.withBytes { take($0) }
            set.input.consume(taken)
        }
    }

    func waitForMore() -> BodyWait {
        set._withUnsafeGuaranteedRef { set in
            if owesContinue {
                owesContinue = false
                // After a final response there is no interim one (RFC 9110 §15.2).
                if !set.exchange.headSent { set.response.sendContinue() }
            }
            pace.goOn(now: .now)
            defer { pace.pause(now: .now) }
            return connection._withUnsafeGuaranteedRef { wait(for: $0.transport, set) }
        }
    }

    private func wait(for client: Transport, _ set: HTTP1WorkingSet) -> BodyWait {
        let due = pace.due(limits, now: .now)
        while set.response.isConnected {
            var isDrained = false
            switch set.input.receive(from: client, isDrained: &isDrained) {
            case .bytes(let count):
                return pace.came(count, limits, now: .now) ? .bytes : .failed(status: 408)
            case .end: return .ended
            case .failed: set.response.cut()
            case .wouldBlock:
                guard wait(for: client, until: due) else { return .failed(status: 408) }
            }
        }
        return .failed(status: 499)
    }

    /// False: the time is over. Looks up once a second: the client may have been given up meanwhile.
    private func wait(for client: Transport, until due: Instant) -> Bool {
        let now = Instant.now
        guard now < due else { return false }
        ShardThread.current?._withUnsafeGuaranteedRef { $0.mayBlock() }
        let look = min(due, now.adding(seconds: 1))
        _ = client.waitForBytes(milliseconds: look.pollTimeout(from: now))
        return true
    }
}
