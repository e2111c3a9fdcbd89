// Which host an idle connection of a leaving host goes to.
// SPDX-License-Identifier: Apache-2.0

/// Passes connections on to the newest host that is ready, and tells their senders what came of it.
///
///     offered ──adopt──► newest ready host ──accepted──► sender told, closed here
///        │                  │ refused, or it died unread
///        │                  └──► the next newest … ──► none left
///        └─ none ready, too many under way ──► sender told that it keeps the connection;
///                                              no sender any more ──► waits for the next host
///
/// The sender keeps its copy until it is told, and this side keeps one until then too: so nothing is lost
/// whoever dies.
struct HandOverBroker {
    typealias HostID = UInt64
    typealias OfferID = UInt64

    enum Action: Equatable {
        /// Send the offer's connection to that host.
        case adopt(OfferID, by: HostID)
        /// Tell the sender, by its own number.
        case tell(HostID, id: UInt64, accepted: Bool)
        /// The offer is over: close its connection here.
        case close(OfferID)
        /// Nobody has the connection now, and nobody has refused it: offer it anew to the next host that serves.
        case wait(OfferID)
    }

    private struct Offer {
        /// Nil when it has died.
        var sender: HostID?
        /// The sender's number of it.
        let id: UInt64
        var receiver: HostID?
        var tried: Set<HostID>
        var wasRefused = false
    }

    /// Connections under way at the same time, of all hosts together.
    static let most = 2048

    private var offers: [OfferID: Offer] = [:]

    var count: Int { offers.count }

    /// A host offers a connection, which this side calls `offer`. `receivers`: hosts that serve and have not
    /// been told to leave, the newest first.
    ///
    /// - Parameter sender: Nil: it has left the connection behind, and has died or will.
    mutating func offered(
        _ offer: OfferID, id: UInt64 = 0, by sender: HostID?, receivers: [HostID]
    ) -> [Action] {
        var entry = Offer(sender: sender, id: id, receiver: nil, tried: [])
        if let sender { entry.tried = [sender] }
        guard offers.count < Self.most else { return Self.untaken(offer, entry) }
        return pass(offer, &entry, receivers)
    }

    /// A host answers; what it was not asked is not believed.
    mutating func answered(
        _ offer: OfferID, by host: HostID, accepted: Bool, receivers: [HostID]
    ) -> [Action] {
        guard var entry = offers[offer], entry.receiver == host else { return [] }
        if accepted {
            offers[offer] = nil
            return Self.end(offer, entry, accepted: true)
        }
        entry.wasRefused = true
        return pass(offer, &entry, receivers)
    }

    /// All it said before its death has been heard.
    mutating func ended(_ host: HostID, receivers: [HostID]) -> [Action] {
        var actions: [Action] = []
        for offer in offers.keys.sorted() {
            guard var entry = offers[offer] else { continue }
            if entry.sender == host {
                offers[offer]?.sender = nil
                entry.sender = nil
            }
            if entry.receiver == host { actions += pass(offer, &entry, receivers) }
        }
        return actions
    }

    /// The host is not believed any more: it may have read from what it was sent, so nobody else gets that.
    mutating func receiverIsBroken(_ host: HostID) -> [Action] {
        var actions: [Action] = []
        for offer in offers.keys.sorted() where offers[offer]?.receiver == host {
            if let entry = offers.removeValue(forKey: offer) {
                actions += Self.end(offer, entry, accepted: true)
            }
        }
        return actions
    }

    private mutating func pass(
        _ offer: OfferID, _ entry: inout Offer, _ receivers: [HostID]
    ) -> [Action] {
        guard let next = receivers.first(where: { !entry.tried.contains($0) }) else {
            offers[offer] = nil
            return Self.untaken(offer, entry)
        }
        entry.receiver = next
        entry.tried.insert(next)
        offers[offer] = entry
        return [.adopt(offer, by: next)]
    }

    private static func untaken(_ offer: OfferID, _ entry: Offer) -> [Action] {
        entry.sender == nil && !entry.wasRefused
            ? [.wait(offer)] : end(offer, entry, accepted: false)
    }

    private static func end(_ offer: OfferID, _ entry: Offer, accepted: Bool) -> [Action] {
        var actions: [Action] = []
        if let sender = entry.sender {
            actions.append(.tell(sender, id: entry.id, accepted: accepted))
        }
        return actions + [.close(offer)]
    }
}
