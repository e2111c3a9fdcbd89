// What a connection that speaks HTTP/1 works with while something is going on.
// SPDX-License-Identifier: Apache-2.0

import Exchange
import ExtensionHost
import Handlers
import Platform

/// Buffers, parser, exchange and response stream of one active connection; `HTTP1Turn` is what it does.
final class HTTP1WorkingSet: WorkingSet {
    let exchange: Exchange
    let response: HTTP1Response
    var input = InputBuffer()
    var parser: RequestParser
    /// Who is to answer the request; not counted, for mappings live as long as the host.
    var mapping: Unmanaged<RoutedMapping>?
    /// Requests begun since the turn was taken.
    var requestsInTurn = 0

    init(limits: RequestLimits, errorLog: ErrorLog) {
        let request = Request()
        response = HTTP1Response(request: request)
        exchange = Exchange(request: request, response: response, errorLog: errorLog)
        parser = RequestParser(limits: limits)
    }

    override func begin(_ connection: Connection) {
        exchange.begin(
            runner: connection, remote: connection.remote, local: connection.local)
        response.begin(connection.output)
    }

    override func run(
        _ connection: Connection, on thread: ShardThread, _ causes: Schedulable.Causes
    ) -> Connection.RunEnd {
        requestsInTurn = 0
        return HTTP1Turn.run(connection, self, thread, causes)
    }

    override func expire(_ connection: Connection, on thread: ShardThread) -> Connection.RunEnd? {
        guard connection.life.phase != .handling else {
            connection.life.handlerBegan()
            if case .pending(let call) = exchange.state { call.revoke() }
            return nil
        }
        // The answer is small; it is not waited for.
        if connection.life.phase == .body {
            exchange.request.refuseKeepAlive()
        } else {
            refuseHead()
        }
        exchange.refuse(status: 408)
        _ = response.complete()
        thread.shard.host.logAccess(exchange)
        return connection.close(reset: false, on: thread)
    }

    /// What has come of a head that becomes no request stands in the access log instead of one.
    func refuseHead() {
        input.withBytes { exchange.refused.append(contentsOf: $0.prefix(1024)) }
        exchange.request.refuse()
    }

    override func end(_ connection: Connection, on thread: ShardThread?) {
        exchange.end()
        response.end()
        response.reset()
        input.removeAll()
        parser.reset()
        mapping = nil
        if let thread { thread.give(self) } else { connection.shard.spares.give(self) }
    }

    /// Forgets one exchange before the next on the same connection.
    func reset() {
        exchange.reset()
        response.reset()
        mapping = nil
    }
}
