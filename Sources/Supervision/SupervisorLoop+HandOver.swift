// Clients' connections that go from one host to the next.
// SPDX-License-Identifier: Apache-2.0

import Control
import Platform

extension SupervisorLoop {
    /// Connections without a host that are kept at most, and seconds for which they are.
    private static let mostHeirless = 16_384
    private static let heirlessPatience = 30.0

    /// Hosts that may be given connections, the newest first.
    var receivers: [UInt64] {
        guard phase == .serving else { return [] }
        return hosts.values.filter { $0.state == .serving && !$0.hasFaulted }
            .sorted { $0.servingNumber > $1.servingNumber }.map(\.id)
    }

    /// An idle connection of a host that leaves. One that dies will not be there to take it back.
    func offer(_ connection: consuming Descriptor, id: UInt64, by host: HostProcess) {
        guard !host.hasFaulted else {
            tell(host, .handedOver(id: id, accepted: true))
            return inherit([SharedDescriptor(connection)])
        }
        let offer = newNumber()
        handedOver[offer] = SharedDescriptor(connection)
        carryOut(handOvers.offered(offer, id: id, by: host.id, receivers: receivers))
    }

    /// Idle connections of a host that dies: for the host that serves, now or next.
    func inherit(_ connections: [SharedDescriptor]) {
        heirless += connections.prefix(max(0, Self.mostHeirless - heirless.count))
        times[.closeHeirless] = Instant.now.adding(seconds: Self.heirlessPatience)
        findHeirs()
    }

    /// After a host has begun to serve, or has answered.
    func findHeirs() {
        guard !heirless.isEmpty else { return }
        guard phase == .serving else { return closeHeirless() }
        let receivers = receivers
        guard !receivers.isEmpty else { return }
        while handOvers.count < HandOverBroker.most, let connection = heirless.popLast() {
            let offer = newNumber()
            handedOver[offer] = connection
            carryOut(handOvers.offered(offer, by: nil, receivers: receivers))
        }
        if heirless.isEmpty { times[.closeHeirless] = .never }
    }

    /// No host has come to serve them.
    func closeHeirless() {
        heirless = []
        times[.closeHeirless] = .never
    }

    func carryOut(_ actions: [HandOverBroker.Action]) {
        for action in actions {
            switch action {
            case .adopt(let offer, let receiver):
                guard let host = hosts[receiver], let connection = handedOver[offer] else { break }
                tell(host, .adopt(id: offer), passing: connection)
            case .tell(let sender, let id, let accepted):
                if let host = hosts[sender] {
                    tell(host, .handedOver(id: id, accepted: accepted))
                }
            case .close(let offer): handedOver[offer] = nil
            case .wait(let offer):
                if let connection = handedOver.removeValue(forKey: offer) { inherit([connection]) }
            }
        }
    }
}
