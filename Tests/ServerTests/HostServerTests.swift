// The threaded server over loopback sockets.
// SPDX-License-Identifier: Apache-2.0

import Configuration
import Platform
import Synchronization
import Testing

@testable import Server

@Suite(.timeLimit(.minutes(3))) struct HostServerTests {
    @Test func aThousandPipelinedRequestsAreAnsweredInOrder() throws {
        let browser = try RunningServer().connect()
        let requests = (0..<1000).map { Browser.get(["/x?now=\($0)", "/x?later=\($0)"][$0 % 2]) }
        browser.send(requests.joined())
        for index in 0..<1000 { #expect(browser.answer()?.body == "\(index)") }
        #expect(browser.get("/moved")?.status == 302)
    }

    @Test func whatFollowsAnInvalidRequestIsNeverParsed() throws {
        let browser = try RunningServer().connect()
        browser.send(
            Browser.get("/x?now=1") + "GET / HTTP/1.1\r\nBad line\r\n\r\n" + Browser.get("/x?now=2")
        )
        #expect(browser.answer()?.body == "1")
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
        #expect(browser.answer()?.body == smuggled)
        // Nobody takes this body; it is skipped, and the connection lives on.
        browser.send(
            "POST /moved HTTP/1.1\r\nHost: x\r\nContent-Length: \(smuggled.utf8.count)\r\n\r\n"
                + smuggled)
        #expect(browser.answer()?.status == 302)
        #expect(browser.get("/x?now=good")?.body == "good")
        // This one is not here yet: the connection ends rather than wait for it.
        browser.send("POST /moved HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n" + smuggled)
        #expect(browser.answer()?.status == 302)
        #expect(browser.isClosed())
    }

    @Test func anIdleConnectionIsClosedAtItsDeadline() throws {
        let server = try RunningServer { $0.timeouts.keepAlive = 0.3 }
        let browser = try server.connect()
        #expect(browser.get("/x?now=a")?.body == "a")
        #expect(browser.get("/x?now=b")?.body == "b")
        #expect(browser.isClosed())
        while server.server.connections.count > 0 { Thread.sleep(milliseconds: 1) }
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
        #expect(oldest.get("/x?now=1")?.body == "1")
        Thread.sleep(milliseconds: 5)
        let younger = try server.connect()
        #expect(younger.get("/x?now=2")?.body == "2")
        let newest = try server.connect()
        #expect(newest.get("/x?now=3")?.body == "3")
        #expect(oldest.isClosed())
        #expect(younger.get("/x?now=4")?.body == "4")
        slow.send("Host: x\r\n\r\n")
        #expect(slow.answer()?.body == "slow")
    }

    @Test func aPendingExchangeEndsBeforeOrAfterItsHandlerReturned() throws {
        let server = try RunningServer { $0.timeouts.request = 20 }
        let wrong = Counter(0)
        try atOnce(8) { client in
            guard let browser = try? server.connect() else { return wrong.countUp() }
            for round in 0..<60 {
                let kind = ["before", "later", "now"][(round + client) % 3]
                let text = "\(client)-\(round)"
                if browser.get("/x?\(kind)=\(text)")?.body != text { wrong.countUp() }
            }
        }
        #expect(wrong.isZero)
    }

    @Test func aPendingExchangePastItsDeadlineIsAnswered504() throws {
        let server = try RunningServer { $0.timeouts.request = 0.3 }
        let browser = try server.connect()
        #expect(browser.get("/x?never")?.status == 504)
        #expect(browser.get("/x?later=on")?.body == "on")
    }

    @Test func connectionsThatComeAndGoAreAllServed() throws {
        let server = try RunningServer { $0.limits.connections = 48 }
        let wrong = Counter(0)
        try atOnce(8) { client in
            for round in 0..<150 {
                guard let browser = try? server.connect() else { return wrong.countUp() }
                let text = "\(client)-\(round)"
                if browser.get("/x?now=\(text)")?.body != text { wrong.countUp() }
                if round % 3 == 0 { browser.send("GET / HT") }
            }
        }
        #expect(wrong.isZero)
        while server.server.connections.count > 0 { Thread.sleep(milliseconds: 1) }
    }

    @Test func aHandOverLosesNoByte() throws {
        let older = try RunningServer()
        let newer = try RunningServer(listens: false)
        let adopted = Counter(0)
        // What the supervisor does: the newer host gets a copy, the older one an answer.
        let passOn: HostServer.Offer = { id, socket in
            let original = Descriptor(owning: socket)
            let copy = try? original.duplicate().take()
            _ = original.take()
            guard let copy else { return false }
            newer.server.adopt(copy)
            adopted.countUp()
            older.server.handedOver(id, accepted: true)
            return true
        }
        let wrong = Counter(0)
        try atOnce(9) { client in
            if client == 8 {
                Thread.sleep(milliseconds: 20)
                return older.server.leave(passOn)
            }
            guard let browser = try? older.connect() else { return wrong.countUp() }
            var round = 0
            // Until every client's connection has moved, and a little longer.
            while round < 50 || adopted.current < 8 && round < 100_000 {
                round += 1
                if client % 2 == 0 {
                    if browser.get("/x?now=\(round)")?.body != "\(round)" { return wrong.countUp() }
                    continue
                }
                browser.send(Browser.get("/x?now=a\(round)") + "GET /x?later=b\(round) HT")
                if browser.answer()?.body != "a\(round)" { return wrong.countUp() }
                browser.send("TP/1.1\r\nHost: x\r\n\r\n")
                if browser.answer()?.body != "b\(round)" { return wrong.countUp() }
            }
        }
        #expect(wrong.isZero)
        #expect(adopted.current == 8)
        #expect(older.server.isEmpty)
    }

    @Test func aConnectionNobodyTakesIsAnsweredOnceMoreAndThenClosed() throws {
        let server = try RunningServer()
        let idle = try server.connect()
        #expect(idle.get("/x?now=1")?.body == "1")
        let offers = Counter(0)
        let refuse: HostServer.Offer = { id, _ in
            offers.countUp()
            server.server.handedOver(id, accepted: false)
            return true
        }
        server.server.leave(refuse)
        while offers.current == 0 { Thread.sleep(milliseconds: 1) }
        Thread.sleep(milliseconds: 300)
        #expect(!server.server.isEmpty)
        idle.send(Browser.get("/x?now=2"))
        let last = idle.answer()
        #expect(last?.body == "2")
        #expect(last?.head.contains("Connection: close") == true)
        #expect(idle.isClosed())
        #expect(offers.current == 1)
    }

    @Test func withoutANewerHostIdleConnectionsAreClosedAndRunningOnesFinish() throws {
        let server = try RunningServer()
        let idle = try server.connect()
        #expect(idle.get("/x?now=1")?.body == "1")
        let busy = try server.connect()
        busy.send("GET /x?now=2 HTTP/1.1\r\nHo")
        while server.server.connections.count < 2 { Thread.sleep(milliseconds: 1) }
        Thread.sleep(milliseconds: 20)
        server.server.leave { _, _ in false }
        server.server.stopHandingOver()
        #expect(idle.isClosed())
        busy.send("st: x\r\n\r\n")
        let last = busy.answer()
        #expect(last?.body == "2")
        #expect(last?.head.contains("Connection: close") == true)
        #expect(busy.isClosed())
    }
}
