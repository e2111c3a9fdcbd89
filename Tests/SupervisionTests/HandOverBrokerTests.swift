// A connection goes to the newest host that takes it, or stays where it was; somebody always knows.
// SPDX-License-Identifier: Apache-2.0

import Testing
import TestSupport

@testable import Supervision

struct HandOverBrokerTests {
    private var broker = HandOverBroker()

    @Test mutating func newestReadyHostGetsItAndTheSenderHearsOfIt() {
        #expect(broker.offered(1, id: 7, by: 10, receivers: [12, 11]) == [.adopt(1, by: 12)])
        #expect(
            broker.answered(1, by: 12, accepted: true, receivers: [12, 11])
                == [.tell(10, id: 7, accepted: true), .close(1)])
        #expect(broker.count == 0)
    }

    @Test mutating func refusalOrDeathOfTheReceiverMakesItTheNextOnes() {
        _ = broker.offered(1, id: 7, by: 10, receivers: [13, 12, 11])
        #expect(
            broker.answered(1, by: 13, accepted: false, receivers: [13, 12, 11])
                == [.adopt(1, by: 12)])
        #expect(broker.ended(12, receivers: [13, 11]) == [.adopt(1, by: 11)])
        #expect(
            broker.ended(11, receivers: [13]) == [.tell(10, id: 7, accepted: false), .close(1)])
    }

    @Test mutating func senderNeverGetsItsOwnConnection() {
        #expect(
            broker.offered(1, id: 7, by: 10, receivers: [10])
                == [.tell(10, id: 7, accepted: false), .close(1)])
    }

    @Test mutating func connectionOfADeadSenderIsStillTakenOrClosed() {
        _ = broker.offered(1, id: 7, by: 10, receivers: [11])
        #expect(broker.ended(10, receivers: [11]) == [])
        #expect(broker.answered(1, by: 11, accepted: true, receivers: [11]) == [.close(1)])
        _ = broker.offered(2, id: 8, by: 10, receivers: [11])
        _ = broker.ended(10, receivers: [11])
        #expect(broker.ended(11, receivers: []) == [.wait(2)])
    }

    @Test mutating func connectionOfADeadSenderWaitsForTheNextHostUnlessItWasRefused() {
        #expect(broker.offered(1, by: nil, receivers: []) == [.wait(1)])
        _ = broker.offered(2, by: nil, receivers: [11, 12])
        #expect(
            broker.answered(2, by: 11, accepted: false, receivers: [11, 12])
                == [.adopt(2, by: 12)])
        #expect(broker.ended(12, receivers: [11]) == [.close(2)])
        #expect(broker.count == 0)
    }

    @Test mutating func answerOfAHostThatWasNotAskedIsNotBelieved() {
        _ = broker.offered(1, id: 7, by: 10, receivers: [11])
        #expect(broker.answered(1, by: 12, accepted: true, receivers: [11]) == [])
        #expect(broker.answered(99, by: 11, accepted: true, receivers: [11]) == [])
        #expect(broker.count == 1)
    }

    @Test mutating func whatAHostThatTalksNonsenseMayHaveReadGoesToNobodyElse() {
        _ = broker.offered(1, id: 7, by: 10, receivers: [12, 11])
        _ = broker.offered(2, id: 8, by: 10, receivers: [11])
        #expect(broker.receiverIsBroken(12) == [.tell(10, id: 7, accepted: true), .close(1)])
        #expect(broker.count == 1)
    }

    @Test mutating func tooManyUnderWayStayWhereTheyAre() {
        for offer in 0..<UInt64(HandOverBroker.most) {
            _ = broker.offered(offer, id: offer, by: 10, receivers: [11])
        }
        #expect(
            broker.offered(9999, id: 1, by: 12, receivers: [11])
                == [.tell(12, id: 1, accepted: false), .close(9999)])
        #expect(broker.count == HandOverBroker.most)
    }

    /// Hosts come, leave and die in any order: each offer ends exactly once, and each living sender hears.
    @Test(arguments: 0..<20)
    mutating func everyOfferEndsOnceWhateverHappens(_ seed: UInt64) {
        var random = SeededNumbers(seed: seed)
        var ready: [UInt64] = [1]
        var hosts: UInt64 = 1
        var asked: [UInt64: UInt64] = [:]
        var waiting: [UInt64: UInt64] = [:]
        var open: Set<UInt64> = []
        var offers: UInt64 = 0
        func carryOut(_ actions: [HandOverBroker.Action]) {
            for action in actions {
                switch action {
                case .adopt(let offer, let host):
                    #expect(ready.contains(host))
                    asked[offer] = host
                case .tell(_, let id, _): #expect(waiting.removeValue(forKey: id) != nil)
                case .close(let offer), .wait(let offer):
                    #expect(open.remove(offer) != nil)
                    asked[offer] = nil
                }
            }
        }
        for _ in 0..<2000 {
            switch Int.random(in: 0..<6, using: &random) {
            case 0:
                hosts += 1
                ready.insert(hosts, at: 0)
            case 1 where ready.count > 1: ready.removeLast()
            case 2:
                let dead = UInt64.random(in: 1...hosts, using: &random)
                ready.removeAll { $0 == dead }
                waiting = waiting.filter { $0.value != dead }
                carryOut(broker.ended(dead, receivers: ready))
            case 3, 4:
                offers += 1
                let sender = UInt64.random(in: 1...hosts, using: &random)
                (waiting[offers], _) = (sender, open.insert(offers))
                carryOut(broker.offered(offers, id: offers, by: sender, receivers: ready))
            default:
                guard let (offer, host) = asked.randomElement(using: &random) else { continue }
                asked[offer] = nil
                carryOut(
                    broker.answered(
                        offer, by: host, accepted: Bool.random(using: &random), receivers: ready))
            }
        }
        for host in 1...hosts {
            ready.removeAll { $0 == host }
            waiting = waiting.filter { $0.value != host }
            carryOut(broker.ended(host, receivers: ready))
        }
        #expect(open.isEmpty && waiting.isEmpty && broker.count == 0)
    }
}
