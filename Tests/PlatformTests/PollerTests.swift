// Which events an epoll instance tells, when, and to how many waiters.
// SPDX-License-Identifier: Apache-2.0

import Glibc
import Platform
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(5)))
struct PollerTests {
    private let edge: Poller.Events = [.readable, .peerClosed, .edge]

    @Test func anEdgeIsToldOnceForEachChange() throws {
        let poller = try WatchedPoller()
        let pair = try ConnectedPair(.unix)
        try poller.add(pair.nearNumber, edge, token: 7)
        #expect(poller.wait(milliseconds: 0) == nil)
        #expect(pair.send("a") == .bytes(1))
        let event = try #require(poller.wait(milliseconds: 20_000))
        #expect(event.token == 7)
        #expect(event.events == .readable)
        // The byte is still there, and nothing has changed.
        #expect(poller.wait(milliseconds: 0) == nil)
        #expect(pair.send("b") == .bytes(1))
        #expect(poller.wait(milliseconds: 20_000)?.events == .readable)
        #expect(pair.receive() == (.bytes(2), "ab"))
        #expect(poller.wait(milliseconds: 0) == nil)
    }

    @Test func withoutAnEdgeReadinessIsToldAsLongAsItHolds() throws {
        let poller = try WatchedPoller()
        let pair = try ConnectedPair(.unix)
        try poller.add(pair.nearNumber, .readable, token: 1)
        #expect(pair.send("a") == .bytes(1))
        #expect(poller.wait(milliseconds: 20_000)?.events == .readable)
        #expect(poller.wait(milliseconds: 0)?.events == .readable)
        #expect(pair.receive().1 == "a")
        #expect(poller.wait(milliseconds: 0) == nil)
    }

    @Test func rearmingTellsReadinessThatHoldsAlready() throws {
        let poller = try WatchedPoller()
        let pair = try ConnectedPair(.unix)
        try poller.add(pair.nearNumber, edge, token: 1)
        #expect(pair.send("a") == .bytes(1))
        #expect(poller.wait(milliseconds: 20_000)?.token == 1)
        try poller.rearm(pair.nearNumber, edge, token: 2)
        let event = try #require(poller.wait(milliseconds: 20_000))
        #expect(event.token == 2)
        #expect(event.events == .readable)
        #expect(poller.wait(milliseconds: 0) == nil)
        // Room to send is told the same way.
        try poller.rearm(pair.nearNumber, [.writable, .edge], token: 3)
        #expect(poller.wait(milliseconds: 20_000)?.events == .writable)
    }

    @Test func whatWasReadyWhenAddedIsTold() throws {
        let poller = try WatchedPoller()
        let pair = try ConnectedPair(.tcp)
        #expect(pair.send("a") == .bytes(1))
        #expect(Socket.wait(pair.nearNumber, for: .readable, milliseconds: 20_000) == .readable)
        try poller.add(pair.nearNumber, edge, token: 1)
        #expect(poller.wait(milliseconds: 20_000)?.events == .readable)
    }

    @Test func roomIsAnEdgeWhenTheFullBufferDrains() throws {
        let poller = try WatchedPoller()
        let pair = try ConnectedPair(.tcp)
        let sent = ConnectedPair.fill(pair.nearNumber)
        try poller.add(pair.nearNumber, [.writable, .edge], token: 1)
        #expect(ConnectedPair.drain(pair.farNumber, sent) == sent)
        #expect(poller.wait(milliseconds: 20_000)?.events == .writable)
    }

    @Test(arguments: ConnectedPair.Kind.allCases)
    func aHalfCloseIsThePeersAndNoHangUp(kind: ConnectedPair.Kind) throws {
        let poller = try WatchedPoller()
        let pair = try ConnectedPair(kind)
        try poller.add(pair.nearNumber, edge, token: 1)
        Socket.shutdownWrite(pair.farNumber)
        #expect(poller.wait(milliseconds: 20_000)?.events == [.readable, .peerClosed])
        #expect(poller.wait(milliseconds: 0) == nil)
    }

    @Test func aResetIsAnErrorWithoutHavingAskedForOne() throws {
        let poller = try WatchedPoller()
        let pair = try ConnectedPair(.tcp)
        try poller.add(pair.nearNumber, .edge, token: 1)
        Socket.setResetOnClose(pair.farNumber)
        pair.closeFar()
        let event = try #require(poller.wait(milliseconds: 20_000))
        #expect(event.events.isSuperset(of: [.error, .hangUp]))
    }

    @Test func whatWasRemovedOrClosedIsToldNoMore() throws {
        let poller = try WatchedPoller()
        let pair = try ConnectedPair(.unix)
        try poller.add(pair.nearNumber, edge, token: 1)
        try poller.remove(pair.nearNumber)
        #expect(pair.send("a") == .bytes(1))
        #expect(poller.wait(milliseconds: 0) == nil)
        #expect(throws: SystemError("epoll_ctl", code: ENOENT)) {
            try poller.remove(pair.nearNumber)
        }
        try poller.add(pair.farNumber, edge, token: 2)
        pair.closeFar()
        #expect(poller.wait(milliseconds: 0) == nil)
    }

    @Test func manyEventsComeInOneCallUpToTheRoom() throws {
        let poller = try WatchedPoller()
        var near: [Int32] = []
        var far: [Int32] = []
        defer { (near + far).forEach(closeDescriptor) }
        for token in 0..<10 {
            let (one, other) = try Socket.pair()
            near.append(one)
            far.append(other)
            try poller.add(one, edge, token: UInt64(token))
            #expect(ConnectedPair.send(other, "x") == .bytes(1))
        }
        var tokens: [UInt64] = []
        for count in [4, 4, 2, 0] {
            let events = poller.events(room: 4)
            #expect(events.count == count)
            #expect(events.allSatisfy { $0.events == .readable })
            tokens += events.map(\.token)
        }
        #expect(tokens.sorted() == Array(0..<10))
    }

    @Test func anEdgeWakesOneOfSeveralWaiters() throws {
        let pair = try ConnectedPair(.unix)
        let waiters = try Waiters(4, on: pair.nearNumber)
        for round in 1...50 {
            #expect(pair.send("x") == .bytes(1))
            waiters.wait { $0.taken == round }
        }
        let counts = waiters.stop()
        #expect(counts.taken == 50)
        #expect(counts.woken == 50, "nobody is woken to find nothing")
        #expect(counts.ended == 4)
    }
}

/// A poller that expectations can name.
private final class WatchedPoller {
    let poller: Poller

    init() throws { poller = try Poller() }

    func add(_ number: Int32, _ events: Poller.Events, token: UInt64) throws {
        try poller.add(number, events, token: token)
    }

    func rearm(_ number: Int32, _ events: Poller.Events, token: UInt64) throws {
        try poller.rearm(number, events, token: token)
    }

    func remove(_ number: Int32) throws { try poller.remove(number) }

    func wait(milliseconds: Int32) -> (token: UInt64, events: Poller.Events)? {
        poller.wait(milliseconds: milliseconds)
    }

    func events(room: Int) -> [Poller.Event] {
        let events = EventRoom(capacity: room)
        let count = poller.wait(into: events, most: room, milliseconds: 0)
        return (0..<count).map { events[$0] }
    }
}

/// Threads that wait on one poller, and take what arrives at one socket.
private final class Waiters: Sendable {
    struct Counts {
        var woken = 0
        var taken = 0
        var ended = 0
    }

    private let poller: Poller
    private let counts = Mutex(Counts())
    private let socket: Int32
    private let threads: Int
    /// Becomes readable, for every waiter and for good, when its other end is closed.
    private let end: Descriptor
    private let otherEnd: Mutex<Int32>

    init(_ threads: Int, on socket: Int32) throws {
        poller = try Poller()
        self.socket = socket
        self.threads = threads
        let pipe = try Files.pipe()
        end = Descriptor(owning: pipe.read)
        otherEnd = Mutex(pipe.write)
        try poller.add(socket, [.readable, .edge], token: 1)
        try poller.add(end.number, .readable, token: 0)
        for _ in 0..<threads { try Thread.start(named: "waiter") { self.serve() } }
    }

    private func serve() {
        while let event = poller.wait(milliseconds: 30_000), event.token == 1 {
            let (result, _) = ConnectedPair.receive(socket)
            counts.withLock {
                $0.woken += 1
                if result == .bytes(1) { $0.taken += 1 }
            }
        }
        counts.withLock { $0.ended += 1 }
    }

    func wait(until holds: (Counts) -> Bool) {
        let deadline = Instant.now.adding(seconds: 20)
        while !counts.withLock({ holds($0) }), Instant.now < deadline {
            Thread.sleep(milliseconds: 1)
        }
    }

    func stop() -> Counts {
        otherEnd.withLock { number in
            if number >= 0 { closeDescriptor(number) }
            number = -1
        }
        wait { $0.ended == threads }
        return counts.withLock { $0 }
    }
}
