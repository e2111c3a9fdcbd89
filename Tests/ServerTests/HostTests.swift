// The threaded server over loopback sockets.
// SPDX-License-Identifier: Apache-2.0

import Configuration
import Platform
import Synchronization
import Testing
import TestSupport

@testable import Server

@Suite(.serialized, .timeLimit(.minutes(3))) struct HostTests {
    @Test func aThousandPipelinedRequestsAreAnsweredInOrder() throws {
        let browser = try RunningServer().connect()
        let requests = (0..<1000).map { Browser.get(["/x?now=\($0)", "/x?later=\($0)"][$0 % 2]) }
        browser.send(requests.joined())
        for index in 0..<1000 { #expect(browser.answer()?.text == "\(index)") }
        #expect(browser.get("/moved")?.status == 302)
    }

    @Test func whatFollowsAnInvalidRequestIsNeverParsed() throws {
        let browser = try RunningServer().connect()
        browser.send(
            Browser.get("/x?now=1") + "GET / HTTP/1.1\r\nBad line\r\n\r\n" + Browser.get("/x?now=2")
        )
        #expect(browser.answer()?.text == "1")
        #expect(browser.answer()?.status == 400)
        #expect(browser.isClosed())
    }

    @Test func aClientThatGoesOnAfterItsMistakeStillGetsTheAnswer() throws {
        let browser = try RunningServer().connect()
        browser.send("POST /x?body HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nbad\n")
        for _ in 0..<20 {
            Thread.sleep(milliseconds: 2)
            browser.send(String(repeating: "x", count: 1000))
        }
        #expect(browser.answer()?.status == 400)
        #expect(browser.isClosed() && !browser.wasReset)
    }

    @Test func bodyBytesNeverBecomeARequest() throws {
        let server = try RunningServer()
        let smuggled = Browser.get("/x?now=evil")
        let browser = try server.connect()
        browser.send(
            "POST /x?body HTTP/1.1\r\nHost: x\r\nContent-Length: \(smuggled.utf8.count)\r\n\r\n"
                + smuggled)
        #expect(browser.answer()?.text == smuggled)
        // Nobody takes this body; it is skipped, and the connection lives on.
        browser.send(
            "POST /moved HTTP/1.1\r\nHost: x\r\nContent-Length: \(smuggled.utf8.count)\r\n\r\n"
                + smuggled)
        #expect(browser.answer()?.status == 302)
        #expect(browser.get("/x?now=good")?.text == "good")
        // This one is not here yet: the connection ends rather than wait for it.
        browser.send("POST /moved HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n" + smuggled)
        #expect(browser.answer()?.status == 302)
        #expect(browser.isClosed())
    }

    @Test func anIdleConnectionIsClosedAtItsDeadline() throws {
        let server = try RunningServer { $0.timeouts.keepAlive = 0.3 }
        let browser = try server.connect()
        #expect(browser.get("/x?now=a")?.text == "a")
        #expect(browser.get("/x?now=b")?.text == "b")
        #expect(browser.isClosed())
        while server.server.connectionCount > 0 { Thread.sleep(milliseconds: 1) }
    }

    @Test(arguments: [
        "GET / HT", "GET / HTTP/1.1\r\nHost: x\r\n",
        "POST /x?body HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab",
        "POST /x?body HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    ])
    func aRequestThatComesTooSlowlyIsAnswered408(start: String) throws {
        let server = try RunningServer {
            $0.timeouts.head = 0.3
            $0.timeouts.body = 0.3
        }
        let browser = try server.connect()
        browser.send(start)
        #expect(browser.answer()?.status == 408)
        #expect(browser.isClosed())
    }

    @Test func aFullTableClosesTheLongestIdleConnection() throws {
        let server = try RunningServer { $0.limits.connections = 3 }
        let slow = try server.connect()
        slow.send("GET /x?now=slow HTTP/1.1\r\n")
        let oldest = try server.connect()
        #expect(oldest.get("/x?now=1")?.text == "1")
        // The answer may be here before its connection counts as idle.
        while server.idleConnections < 1 { Thread.sleep(milliseconds: 1) }
        Thread.sleep(milliseconds: 5)
        let younger = try server.connect()
        #expect(younger.get("/x?now=2")?.text == "2")
        while server.idleConnections < 2 { Thread.sleep(milliseconds: 1) }
        let newest = try server.connect()
        #expect(newest.get("/x?now=3")?.text == "3")
        #expect(oldest.isClosed())
        #expect(younger.get("/x?now=4")?.text == "4")
        slow.send("Host: x\r\n\r\n")
        #expect(slow.answer()?.text == "slow")
    }

    @Test func aNewcomerWithLessTimeLeftStaysWhileOneIdleForLongerGoes() throws {
        let server = try RunningServer {
            $0.limits.connections = 2
            $0.timeouts.head = 5
            $0.timeouts.keepAlive = 60
        }
        let idle = try server.connect()
        #expect(idle.get("/x?now=1")?.text == "1")
        Thread.sleep(milliseconds: 20)
        let newcomer = try server.connect()
        while server.server.connectionCount < 2 { Thread.sleep(milliseconds: 1) }
        Thread.sleep(milliseconds: 20)
        let next = try server.connect()
        #expect(next.get("/x?now=2")?.text == "2")
        #expect(idle.isClosed())
        #expect(newcomer.get("/x?now=3")?.text == "3")
    }

    @Test func aPendingExchangeEndsBeforeOrAfterItsHandlerReturned() throws {
        let server = try RunningServer { $0.timeouts.request = 20 }
        let wrong = Counter(0)
        try atOnce(8) { client in
            guard let browser = try? server.connect() else { return wrong.countUp() }
            for round in 0..<60 {
                let kind = ["before", "later", "now"][(round + client) % 3]
                let text = "\(client)-\(round)"
                if browser.get("/x?\(kind)=\(text)")?.text != text { wrong.countUp() }
            }
        }
        #expect(wrong.isZero)
    }

    @Test func aPendingExchangePastItsDeadlineIsAnswered504() throws {
        let server = try RunningServer { $0.timeouts.request = 0.3 }
        let browser = try server.connect()
        #expect(browser.get("/x?never")?.status == 504)
        #expect(browser.get("/x?later=on")?.text == "on")
    }

    // MARK: Faults of clients and extensions that others must not notice

    /// Fault 1: clients that read nothing of a large answer hold no thread.
    @Test func clientsThatReadNothingAreNotNoticed() throws {
        let server = try RunningServer {
            $0.threads.max = 4
            $0.timeouts.head = 0.5
        }
        let silent = try (0..<16).map { _ in
            let browser = try server.connect()
            browser.send(Browser.get("/x?big=4000000"))
            return browser
        }
        for round in 0..<50 {
            #expect(try server.connect().get("/x?now=\(round)")?.text == "\(round)")
        }
        // The clock is not held up either.
        let late = try server.connect()
        late.send("GET / HT")
        #expect(late.answer()?.status == 408)
        for browser in silent {
            let count = browser.answer()?.body.count
            #expect(count == 4_000_000)
        }
    }

    /// Rule 4: beyond memory and file the writer waits for the client, and every byte arrives in order.
    @Test(arguments: [(1 << 16, 1 << 20), (1 << 12, 0), (1 << 16, 1 << 26)])
    func aSlowClientGetsEveryByteWhateverTheBounds(memory: Int, file: Int) throws {
        let server = try RunningServer {
            $0.limits.responseBuffer = memory
            $0.limits.responseFile = Int64(file)
        }
        let browser = try server.connect()
        browser.send(Browser.get("/x?big=3000000"))
        Thread.sleep(milliseconds: 100)
        let body = browser.answer()?.body ?? []
        let expected = (0..<3_000_000).map { UInt8(ascii: "a") + UInt8($0 / 7 % 26) }
        let isWhole = body.elementsEqual(expected)
        #expect(isWhole)
        #expect(browser.get("/x?now=1")?.text == "1")
    }

    @Test func budgetsAreGivenBackWhenSlowClientsLeave() throws {
        let server = try RunningServer()
        do {
            let silent = try (0..<8).map { _ in
                let browser = try server.connect()
                browser.send(Browser.get("/x?big=16000000"))
                return browser
            }
            while server.server.spoolBudget.charged == 0 { Thread.sleep(milliseconds: 1) }
            withExtendedLifetime(silent) {}
        }
        while server.server.spoolBudget.charged + server.server.memoryBudget.charged > 0
            || server.server.connectionCount > 0
        {
            Thread.sleep(milliseconds: 1)
        }
    }

    @Test func noMoreThanHalfOfTheThreadsWaitForSlowClients() throws {
        let server = try RunningServer {
            $0.threads.max = 4
            $0.limits.responseFile = 0
        }
        let silent = try (0..<8).map { _ in
            let browser = try server.connect()
            browser.send(Browser.get("/x?big=16000000"))
            return browser
        }
        for round in 0..<20 {
            #expect(try server.connect().get("/x?now=\(round)")?.text == "\(round)")
        }
        let whole = silent.count { $0.answer()?.body.count == 16_000_000 }
        #expect(whole >= 1 && whole < 8)
    }

    @Test func aClientThatTakesNothingForTooLongIsGivenUp() throws {
        let server = try RunningServer { $0.timeouts.send = 0.4 }
        let browser = try server.connect()
        browser.send(Browser.get("/x?big=16000000"))
        while server.server.spoolBudget.charged == 0 { Thread.sleep(milliseconds: 1) }
        while server.server.connectionCount > 0 { Thread.sleep(milliseconds: 5) }
        let wasCut = browser.answer() == nil
        #expect(wasCut)
    }

    /// As many calls that compute as there are processors, and more: the others are answered meanwhile.
    @Test func callsThatComputeForLongDoNotStopTheSite() throws {
        let server = try RunningServer {
            $0.threads.min = 1
            $0.threads.max = 16
        }
        let stuck = try (0..<Thread.processors + 1).map { _ in
            let browser = try server.connect()
            browser.send(Browser.get("/x?spin"))
            return browser
        }
        let begun = Counter(0)
        try Thread.start(named: "stuck") {
            for browser in stuck { if browser.answer()?.status == 200 { begun.countUp() } }
        }
        for round in 0..<100 {
            #expect(try server.connect().get("/x?now=\(round)")?.text == "\(round)")
        }
        #expect(begun.isZero, "the others were answered while all of these computed")
        while begun.current < stuck.count { Thread.sleep(milliseconds: 5) }
    }

    /// Fault 8: at the most threads a neighbour in the same batch of events is begun by another one.
    @Test func nobodyWaitsBehindABlockedNeighbour() throws {
        let server = try RunningServer {
            $0.threads.min = 1
            $0.threads.max = 2
            $0.timeouts.head = 3
        }
        let browsers = try (0..<12).map { _ in try server.connect() }
        for browser in browsers { #expect(browser.get("/x?now=0")?.text == "0") }
        for (index, browser) in browsers.enumerated() {
            browser.send(Browser.get(index == 0 ? "/x?block" : "/x?now=\(index)"))
        }
        for (index, browser) in browsers.enumerated().reversed() {
            #expect(browser.answer()?.text == (index == 0 ? "blocked" : "\(index)"))
        }
    }

    @Test func whatAHandlerHasSaidIsHeardWhileItThinks() throws {
        let server = try RunningServer()
        let browser = try server.connect()
        browser.send(Browser.get("/x?think"))
        #expect(browser.wait(for: "first"))
        #expect(try server.connect().get("/x?release=1")?.text == "1")
        #expect(browser.answer()?.text == "firstsecond")
    }

    @Test func whatAPendingExtensionHasSaidIsHeardWhileItIsPending() throws {
        let server = try RunningServer()
        let browser = try server.connect()
        browser.send(Browser.get("/x?hold"))
        #expect(browser.wait(for: "first"))
        #expect(try server.connect().get("/x?release=1")?.text == "1")
        #expect(browser.answer()?.text == "firstsecond")
    }

    /// A writer that has to wait has first seen to it that somebody sends.
    @Test func oneLargeWriteOfAnExtensionsOwnThreadArrivesWhole() throws {
        let server = try RunningServer {
            $0.limits.responseBuffer = 1 << 16
            $0.limits.responseFile = 1 << 18
        }
        let browser = try server.connect()
        browser.send(Browser.get("/x?own=12000000"))
        let count = browser.answer()?.body.count
        #expect(count == 12_000_000)
    }

    /// A deadline that moves a little just before it fires fires a little later, not never.
    @Test(arguments: [40, 60, 80, 150])
    func aDeadlineThatMovedALittleStillFires(milliseconds: Int) throws {
        let server = try RunningServer { $0.timeouts.keepAlive = 0.5 }
        let browsers = try (0..<8).map { _ in try server.connect() }
        for browser in browsers { #expect(browser.get("/x?now=1")?.text == "1") }
        Thread.sleep(milliseconds: milliseconds)
        for browser in browsers { #expect(browser.get("/x?now=2")?.text == "2") }
        for browser in browsers { #expect(browser.isClosed()) }
    }

    /// The client's end of stream while its last answer is on its way is no reset.
    @Test func aClientThatEndsItsStreamWhileItReadsSlowlyGetsEveryByte() throws {
        let browser = try RunningServer().connect()
        browser.send(
            "POST /x?big=3000000 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                + "Content-Length: 4\r\n\r\nbody")
        #expect(browser.wait(for: "aaaaaaabbbbbbb"))
        Socket.shutdownWrite(browser.socket)
        Thread.sleep(milliseconds: 200)
        let count = browser.answer()?.body.count
        #expect(count == 3_000_000)
        #expect(browser.isClosed() && !browser.wasReset)
    }

    /// Fault 10: a client that pipelines without end has a budget, and the others their turn.
    @Test func aPipeliningClientDoesNotKeepOthersWaiting() throws {
        let server = try RunningServer { $0.threads.max = 2 }
        let greedy = try (0..<2).map { _ in try server.connect() }
        let requests = (0..<3000).map { Browser.get("/x?now=\($0)") }.joined()
        for browser in greedy { try Thread.start(named: "greedy") { browser.send(requests) } }
        for round in 0..<20 {
            #expect(try server.connect().get("/x?now=\(round)")?.text == "\(round)")
        }
        for browser in greedy {
            for index in 0..<3000 { #expect(browser.answer()?.text == "\(index)") }
        }
    }

    @Test func aRequestDoesNotWaitForAThreadForEver() throws {
        let server = try RunningServer {
            $0.threads = .init(min: 1, max: 1)
            $0.timeouts.queue = 0.1
        }
        let busy = try server.connect()
        busy.send(String(repeating: Browser.get("/x?block"), count: 5))
        #expect(busy.answer()?.text == "blocked")
        let late = try server.connect()
        let refused = late.get("/x?now=late")
        #expect(refused?.status == 503 && refused?.values("Retry-After") == ["1"])
        for _ in 0..<4 { #expect(busy.answer()?.text == "blocked") }
        // It was refused for itself alone.
        #expect(late.get("/x?now=again")?.text == "again")
    }

    /// Fault 20: the end of a client's stream is not a client that left.
    @Test func aHalfClosedClientGetsItsAnswer() throws {
        let server = try RunningServer()
        for target in ["/x?now=a", "/x?later=a", "/x?block"] {
            let browser = try server.connect()
            browser.send(Browser.get(target))
            Socket.shutdownWrite(browser.socket)
            #expect(browser.answer()?.status == 200)
            #expect(browser.isClosed() && !browser.wasReset)
        }
        let cut = try server.connect()
        cut.send("POST /x?body HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab")
        Socket.shutdownWrite(cut.socket)
        #expect(cut.answer()?.status == 400)
    }

    /// Fault 9: newcomers wait in the listener's queue while every slot is at work.
    @Test func aTableFullOfActiveConnectionsLeavesNewcomersInTheQueue() throws {
        let server = try RunningServer { $0.limits.connections = 2 }
        let busy = try (0..<2).map { _ in
            let browser = try server.connect()
            browser.send(Browser.get("/x?block"))
            return browser
        }
        let newcomer = try server.connect()
        #expect(newcomer.get("/x?now=in")?.text == "in")
        for browser in busy { #expect(browser.answer()?.text == "blocked") }
    }

    @Test func threadsMaxHoldsForAllShardsTogether() throws {
        let alone = try RunningServer { $0.threads = .init(min: 0, max: 1) }
        #expect(alone.server.shards.map(\.count) == [1])
        let three = try RunningServer { $0.threads = .init(min: 0, max: 8, shards: 3) }
        #expect(three.server.shards.map { $0.room(for: 0) } == [3, 3, 2])
    }

    @Test(arguments: [1, 3])
    func everyShardServes(shards: Int) throws {
        let server = try RunningServer {
            $0.threads.shards = shards
            $0.limits.connections = 60
        }
        #expect(server.server.shards.count == shards)
        let wrong = Counter(0)
        try atOnce(12) { client in
            guard let browser = try? server.connect() else { return wrong.countUp() }
            for round in 0..<50 {
                let text = "\(client)-\(round)"
                if browser.get("/x?\(["now", "later"][round % 2])=\(text)")?.text != text {
                    wrong.countUp()
                }
            }
        }
        #expect(wrong.isZero)
    }

    @Test func connectionsThatComeAndGoAreAllServed() throws {
        let server = try RunningServer { $0.limits.connections = 48 }
        try atOnce(8) { client in
            for round in 0..<150 {
                do {
                    let browser = try server.connect()
                    let answer = browser.get("/x?now=\(client)-\(round)")
                    #expect(
                        answer?.text == "\(client)-\(round)", "reset: \(browser.wasReset)")
                    if round % 3 == 0 { browser.send("GET / HT") }
                } catch {
                    Issue.record("no connection for \(client)-\(round): \(error)")
                }
            }
        }
        while server.server.connectionCount > 0 { Thread.sleep(milliseconds: 1) }
    }

    @Test func aHandOverLosesNoByte() throws {
        let older = try RunningServer()
        let newer = try RunningServer(listens: false)
        let adopted = Counter(0)
        let wrong = Counter(0)
        let unserved = Counter(8)
        try atOnce(9) { client in
            if client == 8 {
                // The older host accepts nobody who comes after this.
                while !unserved.isZero, wrong.isZero { Thread.sleep(milliseconds: 1) }
                // What the supervisor does: the newer host gets a copy, the older one its answer.
                return older.server.leave { token, socket in
                    guard let copy = try? Descriptor(owning: socket).copyAndKeep() else {
                        return false
                    }
                    let slot = newer.server.takeSlot()
                    older.server.offerWasAnswered(token, accepted: slot != nil)
                    guard let slot else {
                        closeDescriptor(copy)
                        return true
                    }
                    slot.shard.adopt(copy, into: slot)
                    adopted.countUp()
                    return true
                }
            }
            guard let browser = try? older.connect() else { return wrong.countUp() }
            var round = 0
            // Until every client's connection has moved, and a little longer.
            while round < 50 || adopted.current < 8 && round < 100_000 {
                round += 1
                if round == 2 { unserved.countDown() }
                if client % 2 == 0 {
                    if browser.get("/x?now=\(round)")?.text != "\(round)" { return wrong.countUp() }
                    continue
                }
                browser.send(Browser.get("/x?now=a\(round)") + "GET /x?later=b\(round) HT")
                if browser.answer()?.text != "a\(round)" { return wrong.countUp() }
                browser.send("TP/1.1\r\nHost: x\r\n\r\n")
                if browser.answer()?.text != "b\(round)" { return wrong.countUp() }
            }
        }
        #expect(wrong.isZero)
        #expect(adopted.current == 8)
        while older.server.connectionCount > 0 { Thread.sleep(milliseconds: 1) }
    }

    @Test func aConnectionThatNobodyTakesIsServedOnceMoreAndClosed() throws {
        let server = try RunningServer()
        let browser = try server.connect()
        #expect(browser.get("/x?now=1")?.text == "1")
        let offers = Counter(0)
        server.server.leave { _, _ in
            offers.countUp()
            return false
        }
        // A leaving host tells its idle connections again and again: this one may not have been idle yet.
        while offers.isZero {
            server.server.wakeIdle()
            Thread.sleep(milliseconds: 1)
        }
        let last = browser.get("/x?now=2")
        #expect(last?.text == "2")
        #expect(last?.value("Connection") == "close")
        #expect(browser.isClosed())
    }

    /// The listener told the older host alone of the newcomer, which it had no room for.
    @Test func aNewcomerWhomALeavingHostCouldNotTakeIsTheNewerOnes() throws {
        let older = try RunningServer { $0.limits.connections = 1 }
        let busy = try older.connect()
        #expect(busy.get("/x?now=a")?.text == "a")
        busy.send(Browser.get("/x?never"))
        while older.idleConnections > 0 { Thread.sleep(milliseconds: 1) }
        let newer = try RunningServer(besides: older)
        try Housekeeping(host: newer.server, pools: []).start()
        let newcomer = try older.connect()
        newcomer.send(Browser.get("/x?now=here"))
        Thread.sleep(milliseconds: 50)
        older.server.leave(offering: nil)
        #expect(newcomer.answer()?.text == "here")
    }

    @Test func withoutANewerHostIdleConnectionsAreClosedAndRunningOnesFinish() throws {
        let server = try RunningServer()
        let idle = try server.connect()
        #expect(idle.get("/x?now=1")?.text == "1")
        let busy = try server.connect()
        busy.send("GET /x?now=2 HTTP/1.1\r\nHo")
        while server.server.connectionCount < 2 { Thread.sleep(milliseconds: 1) }
        Thread.sleep(milliseconds: 20)
        server.server.leave(offering: nil)
        #expect(idle.isClosed())
        busy.send("st: x\r\n\r\n")
        let last = busy.answer()
        #expect(last?.text == "2")
        #expect(last?.value("Connection") == "close")
        #expect(busy.isClosed())
    }
}

extension Descriptor {
    /// A second descriptor of a socket that stays its owner's.
    fileprivate consuming func copyAndKeep() throws -> Int32 {
        let copy = try duplicate().take()
        _ = take()
        return copy
    }
}
