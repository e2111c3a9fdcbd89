// What the clock does to a connection.
// SPDX-License-Identifier: Apache-2.0

import Configuration
import Synchronization
import Exchange
import ExtensionHost
import Handlers
import Platform

extension Connection {
    /// Ends what has taken too long. Called by the monitor.
    func expire(at now: Instant, handsOver: Bool) {
        expireTicket(at: now)
        let isOver = deadline.load(ordering: .relaxed) <= now.nanoseconds
        guard isOver || handsOver, isAtRest, claim() else { return }
        // A new connection that has sent nothing yet is as idle as one between requests.
        let isIdle = phase == .idle || phase == .head && activity == nil
        guard deadline.load(ordering: .relaxed) <= now.nanoseconds || isIdle && handsOver else {
            return releaseTurn()
        }
        switch phase {
        case .free:
            releaseTurn()
        case .idle where handsOver, .head where handsOver && activity == nil:
            if server.mayOffer && !staysHere {
                _ = handOver(on: nil)
            } else if server.canHandOver && deadline.load(ordering: .relaxed) > now.nanoseconds {
                releaseTurn()
            } else {
                _ = close(on: nil)
            }
        case .head where activity != nil, .body:
            // The client took too long (RFC 9110 §15.5.9). Its answer is small; it is not waited for.
            if let exchange = activity?.exchange {
                exchange.request.refuse()
                exchange.refuse(status: 408)
                _ = exchange.flush()
                server.logAccess(exchange)
            }
            _ = close(on: nil)
        case .sending:
            Socket.setResetOnClose(socket)
            _ = close(on: nil)
        case .idle, .head, .lingering, .handling:
            _ = close(on: nil)
        }
    }

    /// A PENDING call past its deadline: the call ends, the client gets 504.
    private func expireTicket(at now: Instant) {
        let due = ticket.withLock { ticket -> PendingTicket? in
            guard let held = ticket, held.deadline <= now else { return nil }
            ticket = nil
            return held
        }
        due?.call.revoke()
    }

    /// Gives the idle connection to a newer host.
    func handOver(on thread: PoolThread?) -> Rest {
        let socket = socket
        try? server.poller.remove(socket)
        guard server.handOver(socket) else { return close(on: thread) }
        endActivity(on: thread)
        free()
        server.connections.give(self)
        return .closed
    }
}
