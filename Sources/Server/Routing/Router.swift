// Who answers a request: the site by its host, the handler by its path.
// SPDX-License-Identifier: Apache-2.0

import Configuration
import Exchange
import Handlers
import Platform

/// The configuration's sites, made ready for requests. Immutable: a new configuration is a new host.
final class Router: Sendable {
    private let sites: Immortals<RoutedSite>
    private let hosts: HostTable

    /// Local redirects of one request (RFC 3875 §6.2.2) and index files together.
    private static let mostSteps = 10

    /// `hosts` are the sites' patterns, in the same order.
    init(sites: [RoutedSite], hosts: [[String]]) {
        self.sites = Immortals(sites)
        self.hosts = HostTable(hosts)
    }

    // MARK: Before the body

    /// Finds site and handler for a head. Nil: it needs no handler and has been answered.
    func route(_ exchange: Exchange) -> Unmanaged<RoutedMapping>? {
        site(for: exchange.request)._withUnsafeGuaranteedRef { site in
            exchange.route.lead(to: Unmanaged.passUnretained(site.served))
            if site.isAnsweredByRule(exchange) { return nil }
            let mapping = site.mapping(for: exchange)
            mapping._withUnsafeGuaranteedRef {
                exchange.route.lead(to: Unmanaged.passUnretained($0.served))
            }
            return mapping
        }
    }

    private func site(for request: Request) -> Unmanaged<RoutedSite> {
        guard sites.count > 1 else { return sites[0] }
        let bytes = request.bytes
        return sites[hosts.site(for: bytes.span, request.host.range)]
    }

    // MARK: After a handler

    enum Settled {
        case done, parked
    }

    /// Follows a handler's answer: to another path of the server, or to another mapping of the site.
    func settle(_ first: Answer, _ exchange: Exchange, on thread: ShardThread) -> Settled {
        var answer = first
        while true {
            let next: Unmanaged<RoutedMapping>
            switch answer {
            case .done: return .done
            case .parked: return .parked
            case .redirect(let path):
                guard let found = redirect(exchange, to: path) else { return .done }
                next = found
            case .handOver(let index):
                guard countStep(exchange) else { return .done }
                let site = sites[(exchange.route.site?.number ?? 1) - 1]
                next = site._withUnsafeGuaranteedRef { $0.mapping(index) }
                next._withUnsafeGuaranteedRef {
                    exchange.route.lead(to: Unmanaged.passUnretained($0.served))
                }
            }
            if exchange.headSent { return .done }
            thread.mayBlock()
            exchange.state = .running
            answer = next._withUnsafeGuaranteedRef {
                thread.mayKeepNext = $0.waitsForOthers
                return $0.handler.answer(exchange)
            }
        }
    }

    private func countStep(_ exchange: Exchange) -> Bool {
        exchange.route.redirects += 1
        if exchange.route.redirects <= Self.mostSteps { return true }
        exchange.fail(
            status: 502,
            reason: "more than \(Self.mostSteps) local redirects; the program goes round in circles"
        )
        return false
    }

    /// The server's own answer to another path, as a GET without a body (RFC 3875 §6.2.2). Nil: answered.
    private func redirect(_ exchange: Exchange, to path: [UInt8]) -> Unmanaged<RoutedMapping>? {
        guard countStep(exchange) else { return nil }
        guard exchange.request.redirect(to: path) else {
            exchange.fail(status: 502, reason: "a local redirect to an invalid path")
            return nil
        }
        let redirects = exchange.route.redirects
        exchange.body.reset()
        exchange.route.forget()
        exchange.route.redirects = redirects
        return route(exchange)
    }
}
