// Who answers a request: the site by its host, the handler by its path.
// SPDX-License-Identifier: Apache-2.0

import Configuration
import Exchange
import Handlers
import Platform

/// The configuration's sites, made ready for requests. Immutable: a new configuration is a new host.
final class Router: Sendable {
    let sites: [RoutedSite]
    private let pools: [WorkerPool]

    init(sites: [RoutedSite], pools: [WorkerPool]) {
        self.sites = sites
        self.pools = pools
    }

    // MARK: Before the body

    /// Finds site and handler for a head. Nil: it needs no handler and has been answered.
    func route(_ exchange: Exchange) -> RoutedMapping? {
        let site = site(for: exchange.request)
        exchange.route.site = site.served
        switch exchange.request.method {
        case .unknown:
            exchange.request.refuseKeepAlive()
            exchange.refuse(status: 501)
            return nil
        case .trace, .connect:
            exchange.request.refuseKeepAlive()
            exchange.refuse(status: 405, allow: "GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH")
            return nil
        case .options where exchange.request.path == [UInt8(ascii: "*")]:
            exchange.allow("GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH")
            return nil
        default:
            let mapping = site.mapping(for: exchange)
            exchange.route.mapping = mapping.served
            return mapping
        }
    }

    private func site(for request: Request) -> RoutedSite {
        guard sites.count > 1, !request.host.isEmpty else { return sites[0] }
        for site in sites where site.answers(to: request) { return site }
        return sites[0]
    }

    // MARK: With the body

    /// Answers the exchange with the handler that was found; or goes on with one that waited.
    func handle(
        _ exchange: Exchange, by first: RoutedMapping, on thread: PoolThread
    ) -> Outcome {
        var mapping = first
        while !exchange.headSent {
            switch answer(exchange, mapping, on: thread) {
            case .outcome(let outcome):
                return outcome
            case .elsewhere(let path):
                guard let next = redirect(exchange, to: path) else { return .done }
                mapping = next
            case .script(let index):
                mapping = site(of: exchange).mappings[index]
                exchange.route.mapping = mapping.served
            }
        }
        return .done
    }

    private func site(of exchange: Exchange) -> RoutedSite {
        sites[(exchange.route.site?.number ?? 1) - 1]
    }

    private enum Step {
        case outcome(Outcome)
        /// A local redirect.
        case elsewhere([UInt8])
        /// A folder's index file belongs to that mapping.
        case script(mapping: Int)
    }

    private func answer(
        _ exchange: Exchange, _ mapping: RoutedMapping, on thread: PoolThread
    ) -> Step {
        switch mapping.handler {
        case .files:
            switch StaticFiles.answer(exchange, rules: site(of: exchange).rules) {
            case .answered: return .outcome(.done)
            case .script(let mapping): return .script(mapping: mapping)
            }
        case .extension(let handler):
            return .outcome(handler.answer(exchange))
        case .pool(let handler):
            thread.willBlock()
            return answerByPool(exchange, handler, on: thread)
        case .cgi(let handler):
            thread.willBlock()
            if case .redirect(let path) = handler.run(exchange) { return .elsewhere(path) }
            return .outcome(.done)
        case .redirect(let status, let location):
            exchange.redirect(status: status, location: location.span)
            return .outcome(.done)
        case .unavailable(let reason, let isLogged):
            if isLogged.isFirst() {
                exchange.fail(status: 503, reason: reason, retryAfter: 60)
            } else {
                exchange.refuse(status: 503, retryAfter: 60)
            }
            return .outcome(.done)
        }
    }

    private func answerByPool(
        _ exchange: Exchange, _ handler: FastCGIHandler, on thread: PoolThread
    ) -> Step {
        let answer = handler.answer(exchange)
        if let next = answer.next { thread.runNext(next) }
        if let path = answer.redirect { return .elsewhere(path) }
        return .outcome(answer.outcome)
    }

    /// The server's own answer to another path, as a GET without a body (RFC 3875 §6.2.2). Nil: answered.
    private func redirect(_ exchange: Exchange, to path: [UInt8]) -> RoutedMapping? {
        let redirects = exchange.route.redirects + 1
        guard redirects <= 10 else {
            exchange.fail(
                status: 502,
                reason: "more than 10 local redirects; the program goes round in circles")
            return nil
        }
        guard exchange.request.redirect(to: path) else {
            exchange.fail(status: 502, reason: "a local redirect to an invalid path")
            return nil
        }
        exchange.body.reset()
        exchange.route.forget()
        exchange.route.redirects = redirects
        return route(exchange)
    }

    // MARK: Time

    /// Gives parked exchanges up whose time is over, and workers that are not needed.
    func expire(at now: Instant) {
        for pool in pools { pool.expire(now) }
    }

    /// The host leaves: its workers go back to the supervisor as they become idle.
    func drain() {
        for pool in pools { pool.drain() }
    }
}
