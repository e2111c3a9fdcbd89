// The relay against workers that behave, die, lie, flood and stall.
// SPDX-License-Identifier: Apache-2.0

import Configuration
import Exchange
import ExtensionHost
import Platform
import Testing
import TestSupport

@testable import Handlers

private let get = "GET /a.php?b=c HTTP/1.1\r\nHost: localhost\r\nX-One: 1\r\n\r\n"
private func post(_ length: Int) -> String {
    "POST /a.php HTTP/1.1\r\nHost: localhost\r\nContent-Length: \(length)\r\n\r\n"
}

private func relay(
    silence: Double = 20, total: Double = 20, isWorker: Bool = false
) -> FastCGIRelay {
    var pool = Settings.Pool(name: "php", program: .command(["php-cgi"]))
    pool.activityTimeout = silence
    pool.requestTimeout = total
    return FastCGIRelay(pool: pool, isWorker: isWorker)
}

private func handlerOfPool(maximum: Int) -> (handler: FastCGIHandler, pool: WorkerPool) {
    var settings = Settings.Pool(name: "php", program: .command(["php-cgi"]))
    settings.maximum = maximum
    let pool = WorkerPool(index: 0, settings: settings, supply: NoSupply())
    return (FastCGIHandler(pool: pool, settings: settings, isWorker: true), pool)
}

/// Relays one request to a worker that reads all of it and says what `answer` makes of it.
private func ask(
    _ client: Client, _ relay: FastCGIRelay = relay(), thenCloses: Bool = false,
    _ answer: @escaping @Sendable (Asked) -> [UInt8]
) throws -> (end: RelayEnd, response: HTTPResponse, asked: Asked) {
    let worker = try FakeWorker()
    let background = Background {
        let asked = worker.read()
        worker.send(answer(asked))
        if thenCloses { worker.close() }
        return asked
    }
    let end = relay.run(client.exchange, on: worker.connection)
    let response = client.response()
    worker.close()
    return (end, response, background.value)
}

@Suite(.timeLimit(.minutes(5))) struct FastCGIRelayTests {
    @Test func requestAndAnswerArriveWhole() throws {
        let client = try Client(get)
        let (end, response, asked) = try ask(client) { Says.answer("hello", $0.id) }
        #expect(end == RelayEnd(outcome: .answered, fate: .reusable))
        #expect(response.status == 200 && response.text == "hello" && !response.isCut)
        #expect(response.value("Content-Type") == "text/plain")
        #expect(asked.kinds == [1, 4, 5] && asked.params["QUERY_STRING"] == "b=c")
        #expect(asked.params["HTTP_X_ONE"] == "1" && asked.params["MORTISE_HEAD"] == nil)
    }

    @Test func connectionServesOneRequestAfterTheOther() throws {
        let worker = try FakeWorker()
        let background = Background {
            (0..<5).map { _ in
                let asked = worker.read()
                worker.send(Says.answer("for \(asked.id)", asked.id))
                return asked.id
            }
        }
        var texts: [String] = []
        for _ in 0..<5 {
            let client = try Client(get)
            let end = relay().run(client.exchange, on: worker.connection)
            #expect(end.fate == .reusable)
            texts.append(client.response().text)
        }
        let ids = background.value
        #expect(Set(ids).count == 5 && texts == ids.map { "for \($0)" })
    }

    /// The worker answers with what it reads while it still reads: whoever only sends is stuck.
    @Test(arguments: [1, 65535, 65536, 65537, 200_000, 3_000_000], [false, true])
    func bodyArrivesExactlyHoweverLong(length: Int, spooled: Bool) throws {
        var fake: [UInt8] = []
        FastCGI.appendBegin(.responder, id: 1, keepsConnection: true, to: &fake)
        let body = (0..<length).map { fake[$0 % fake.count] ^ UInt8($0 / 4096 & 1) }
        let client = try Client(post(length), body: body, spooled: spooled)
        let worker = try FakeWorker()
        let background = Background {
            worker.send(Says.out("Content-Type: a/b\r\n\r\n", 1))
            let asked = worker.read(each: { worker.send(Says.out(Array($0), 1)) })
            worker.send(Says.end(1))
            return asked.params["CONTENT_LENGTH"]
        }
        let end = relay().run(client.exchange, on: worker.connection)
        let response = client.response()
        #expect(end == RelayEnd(outcome: .answered, fate: .reusable))
        #expect(response.body == body && background.value == "\(length)")
    }

    @Test func answerInRecordsOfOneByteArrivesWhole() throws {
        let text = "Status: 201 Made\r\nX-Long: \(String(repeating: "x", count: 3000))\r\n\r\nbody"
        let (end, response, _) = try ask(try Client(get)) { asked in
            Array(text.utf8.map { Says.out([$0], asked.id) }.joined()) + Says.end(asked.id)
        }
        #expect(end.fate == .reusable && response.status == 201 && response.text == "body")
    }

    static let head = "Content-Type: a/b\r\n\r\n"
    /// What the worker says, and how the client and the worker fare.
    static let faults: [(name: String, says: @Sendable (UInt16) -> [UInt8], status: Int)] = [
        ("version 2", { _ in [2, 6, 0, 1, 0, 0, 0, 0] }, 502),
        ("reserved byte", { _ in [1, 6, 0, 1, 0, 0, 0, 9] }, 502),
        ("HTTP", { _ in Array("HTTP/1.1 200 OK\r\n\r\n".utf8) }, 502),
        ("type 0", { [1, 0, 0, UInt8($0), 0, 0, 0, 0] }, 502),
        ("type 99", { [1, 99, 0, UInt8($0), 0, 0, 0, 0] }, 502),
        ("output of request 0", { _ in Says.out(head, 0) }, 502),
        ("end of request 0", { _ in Says.end(0) }, 502),
        ("output of another", { Says.out(head, $0 &+ 1) }, 502),
        ("a record of servers", { Says.empty(.params, $0) }, 502),
        ("log record of a stranger", { Says.content(.accessLog, [0, 200], $0) }, 502),
        ("end without a head", { Says.end($0) }, 502),
        ("end with a status", { Says.end($0, application: 1) }, 502),
        (
            "end of nine bytes", { Says.content(.endRequest, [UInt8](repeating: 0, count: 9), $0) },
            502
        ),
        ("head without its end", { Says.out("X: y\r\n", $0) + Says.end($0) }, 502),
        ("head with a NUL", { Says.out("X: \0\r\n\r\n", $0) + Says.end($0) }, 502),
        ("head of a MiB", { Says.out([UInt8](repeating: 0x61, count: 1 << 20), $0) }, 502),
        ("two statuses", { Says.out("Status: 200\nStatus: 200\n\n", $0) + Says.end($0) }, 502),
        ("overloaded", { Says.end($0, .overloaded) }, 503),
        ("cannot multiplex", { Says.end($0, .cannotMultiplex) }, 502),
        ("unknown role", { Says.end($0, .unknownRole) }, 502),
        ("length lies", { [1, 6, 0, UInt8($0), 0xff, 0xff, 0, 0] + Array("short".utf8) }, 502),
        ("unknown management", { [1, 200, 0, 0, 0, 1, 0, 0, 7] + Says.answer("ok", $0) }, 200),
        (
            "values nobody asked for",
            { [1, 10, 0, 0, 0, 2, 0, 0, 0xff, 0xff] + Says.answer("", $0) }, 200
        ),
        ("two ends", { Says.answer("ok", $0) + Says.end($0) }, 200),
        ("bytes after the end", { Says.answer("ok", $0) + [1] }, 200),
        ("end before the end of output", { Says.out(head + "ok", $0) + Says.end($0) + [9] }, 200),
    ]

    @Test(arguments: faults.indices) func faultCostsTheWorkerAndOneAnswer(index: Int) throws {
        let fault = Self.faults[index]
        let (end, response, _) = try ask(
            try Client(get), thenCloses: true
        ) { fault.says($0.id) }
        #expect(end == RelayEnd(outcome: .answered, fate: .broken), "\(fault.name)")
        #expect(response.status == fault.status && !response.isCut, "\(fault.name)")
    }

    @Test func faultAfterTheHeadCutsTheAnswer() throws {
        for says: @Sendable (UInt16) -> [UInt8] in [
            { Says.out("Content-Type: a/b\r\n\r\npart", $0) },
            { Says.out("Content-Length: 9\r\n\r\npart", $0) },
            { Says.out("X: y\r\n\r\npart", $0) + Says.empty(.stdout, $0) + Says.out("more", $0) },
            { Says.out("X: y\r\n\r\npart", $0) + Says.out("stranger", $0 + 1) },
            { Says.out("X: y\r\n\r\npart", $0) + [1, 6, 0, UInt8($0), 0xff, 0xff, 0, 0, 0x61] },
        ] {
            let (end, response, _) = try ask(try Client(get), thenCloses: true) { says($0.id) }
            #expect(end.fate == .broken && response.isCut && response.status == 200)
            #expect(response.text.hasPrefix("part") && !response.text.contains("stranger"))
        }
    }

    @Test func requestIsGivenBackWhenTheWorkerDidNothing() throws {
        let closed = try FakeWorker()
        closed.close()
        let client = try Client(post(4), body: Array("body".utf8))
        let end = relay().run(client.exchange, on: closed.connection)
        #expect(end == RelayEnd(outcome: .unreached, fate: .broken) && !client.exchange.headSent)
        // The same exchange may be answered by another worker.
        let (again, response, asked) = try ask(client) { Says.answer("late", $0.id) }
        #expect(again.fate == .reusable && response.text == "late" && asked.body.count == 4)
    }

    @Test func requestGoesOnToTheNextWorkerUntilOneTakesIt() throws {
        let (handler, pool) = handlerOfPool(maximum: 4)
        let dead = try (0..<5).map { _ in try FakeWorker() }
        for worker in dead {
            pool.granted(worker.connection, isAsked: false)
            worker.close()
        }
        let folder = try TemporaryFolder()
        let client = try Client(post(4), body: Array("body".utf8), log: "\(folder.path)/log")
        _ = handler.answer(client.exchange)
        #expect(pool.status == WorkerPool.Status(workers: 0, idle: 0, waiting: 1))
        let worker = try FakeWorker()
        let background = Background {
            let asked = worker.read()
            worker.send(Says.answer("whole", asked.id))
            return asked.body.count
        }
        pool.granted(worker.connection, isAsked: true)
        _ = handler.resume(client.exchange)
        #expect(client.response().text == "whole" && background.value == 4)
        #expect(pool.status == WorkerPool.Status(workers: 1, idle: 1, waiting: 0))
        let log = try folder.read("log")
        #expect(log.split(separator: "\n").count == 5)
        #expect(log.contains("a worker could not be reached (pool php)"))
    }

    @Test func requestThatReachesNoneOfAsManyWorkersAsThereMayBeFails() throws {
        let (handler, pool) = handlerOfPool(maximum: 2)
        let dead = try (0..<5).map { _ in try FakeWorker() }
        for worker in dead {
            pool.granted(worker.connection, isAsked: false)
            worker.close()
        }
        let folder = try TemporaryFolder()
        let client = try Client(get, log: "\(folder.path)/log")
        _ = handler.answer(client.exchange)
        #expect(client.response().status == 502)
        #expect(pool.status.idle == 1)
        let log = try folder.read("log")
        #expect(log.contains("4 workers in a row could not be reached (pool php)"))
    }

    /// The worker ends with the request's last bytes unread, and may have read the first: whatever has
    /// been sent is never sent again.
    @Test(arguments: [(get, false), (get, true), (post(1), false)])
    func requestThatHasLeftIsNeverGivenBack(text: String, isWorker: Bool) throws {
        let body: [UInt8] = text == get ? [] : [1]
        let client = try Client(text, body: body)
        let worker = try FakeWorker()
        let background = Background {
            let ready = Socket.wait(worker.socket, for: .readable, milliseconds: 20_000)
            closeDescriptor(worker.socket)
            return !ready.isEmpty
        }
        let end = relay(isWorker: isWorker).run(client.exchange, on: worker.connection)
        #expect(background.value)
        #expect(end == RelayEnd(outcome: .answered, fate: .broken))
        #expect(client.response().status == 502)
    }

    @Test func requestThatWasReadIsNeverGivenBack() throws {
        let (end, response, _) = try ask(try Client(get), thenCloses: true) { _ in [] }
        #expect(end == RelayEnd(outcome: .answered, fate: .broken) && response.status == 502)
    }

    @Test func earlyAnswerIsRelayedAlthoughTheBodyWasNotRead() throws {
        let length = 4_000_000
        let client = try Client(
            post(length), body: [UInt8](repeating: 1, count: length), spooled: true)
        let worker = try FakeWorker()
        let background = Background {
            let asked = worker.read(until: { $1 == 4 })
            worker.send(
                Says.out("Status: 413\r\nContent-Length: 2\r\n\r\nno", asked.id)
                    + Says.end(asked.id))
            return true
        }
        let end = relay().run(client.exchange, on: worker.connection)
        // What it has not read is gone with the connection; the next request gets another one.
        #expect(background.value && end == RelayEnd(outcome: .answered, fate: .reusable))
        #expect(!worker.connection.isConnected)
        let response = client.response()
        #expect(response.status == 413 && response.text == "no" && !response.isCut)
    }

    @Test(arguments: [false, true])
    func processThatEndsARequestEarlyAnswersTheNextOneOnANewConnection(isWorker: Bool) throws {
        let program = try FakeProgram()
        let length = 4_000_000
        let background = Background {
            // The rest of the body is never read: half of a record may be on its way.
            let refusing = program.accept()
            let first = refusing?.read(until: { $1 == 4 })
            refusing?.send(Says.answer("enough", first?.id ?? 0))
            let next = program.accept()
            let second = next?.read()
            next?.send(Says.answer("whole", second?.id ?? 0))
            return second?.body.count
        }
        let relay = relay(isWorker: isWorker)
        for (size, text) in [(length, "enough"), (1000, "whole")] {
            let client = try Client(
                post(size), body: [UInt8](repeating: 1, count: size), spooled: true)
            let end = relay.run(client.exchange, on: program.connection)
            #expect(end == RelayEnd(outcome: .answered, fate: .reusable))
            #expect(client.response().text == text)
        }
        #expect(background.value == 1000)
    }

    @Test func silentWorkerIsGivenUp() throws {
        for relay in [relay(silence: 0.2), relay(total: 0.2)] {
            let (end, response, _) = try ask(try Client(get), relay) { _ in [] }
            #expect(end.fate == .broken && response.status == 504)
        }
    }

    @Test(arguments: [false, true]) func ourWorkerIsToldWhenTheClientLeaves(obeys: Bool) throws {
        let client = try Client(get)
        let worker = try FakeWorker()
        let background = Background {
            let asked = worker.read()
            let kinds = worker.read(until: { $1 == 2 }).kinds
            if obeys { worker.send(Says.answer("late", asked.id)) }
            return kinds
        }
        client.leave()
        let end = relay(isWorker: true).run(client.exchange, on: worker.connection)
        #expect(background.value == [2])
        #expect(end == RelayEnd(outcome: .answered, fate: obeys ? .reusable : .broken))
        // 499 is a number for the log: nothing is sent.
        #expect(client.response().status == 0 && client.exchange.loggedStatus == 499)
    }

    /// Foreign programs fall over FCGI_ABORT_REQUEST. They may be busy with the request for a while.
    @Test func foreignProgramIsOnlyDisconnectedWhenTheClientLeaves() throws {
        let client = try Client(get)
        let worker = try FakeWorker()
        let background = Background {
            _ = worker.read()
            return worker.read().kinds
        }
        client.leave()
        let end = relay().run(client.exchange, on: worker.connection)
        #expect(end == RelayEnd(outcome: .answered, fate: .abandoned))
        #expect(background.value == [] && !worker.connection.isConnected)
        #expect(client.response().status == 0)
    }

    // MARK: Programs that close connections

    @Test func connectionClosedBeforeTheFirstRequestIsMadeAnewAndIsNoFault() throws {
        let program = try FakeProgram()
        try #require(program.accept()).close()
        let background = Background {
            guard let worker = program.accept() else { return UInt16(0) }
            let asked = worker.read()
            worker.send(Says.answer("hello", asked.id))
            return asked.id
        }
        let client = try Client(post(4), body: Array("body".utf8))
        let end = relay().run(client.exchange, on: program.connection)
        #expect(end == RelayEnd(outcome: .answered, fate: .reusable) && background.value > 0)
        #expect(client.response().text == "hello")
        // That a silent connection was closed says nothing about those that had a request.
        #expect(program.conduct.kind == .unknown)
    }

    @Test func programThatClosesAfterEachAnswerLosesNoRequestAndIsSoonAskedToClose() throws {
        let program = try FakeProgram(isConnected: false)
        let count = 100
        let background = Background {
            var keeps: [Bool] = []
            for index in 0..<count {
                guard let worker = program.accept() else { break }
                let asked = worker.read()
                worker.send(Says.answer("\(index)", asked.id))
                if index == 0 { Thread.sleep(milliseconds: 20) }
                closeDescriptor(worker.socket)
                keeps.append(asked.keepsConnection)
            }
            return keeps
        }
        let relay = relay()
        for index in 0..<count {
            let client = try Client(post(4), body: Array("body".utf8))
            let end = relay.run(client.exchange, on: program.connection)
            #expect(end == RelayEnd(outcome: .answered, fate: .reusable))
            #expect(client.response().text == "\(index)")
        }
        let keeps = background.value
        #expect(keeps.count == count && keeps.count(where: { $0 }) <= 2)
        #expect(program.conduct.kind == .closesConnections)
    }

    @Test func programThatKeepsItsConnectionIsConnectedOnce() throws {
        let program = try FakeProgram(isConnected: false)
        let background = Background {
            guard let worker = program.accept() else { return 0 }
            for index in 0..<20 { worker.send(Says.answer("\(index)", worker.read().id)) }
            return 20
        }
        let relay = relay()
        for index in 0..<20 {
            let client = try Client(get)
            #expect(relay.run(client.exchange, on: program.connection).fate == .reusable)
            #expect(client.response().text == "\(index)")
        }
        #expect(background.value == 20 && program.conduct.kind == .keepsConnections)
    }

    @Test func processOfAWorkerThatWasGivenBackIsNotKept() {
        let conduct = ProgramConduct()
        conduct.know(1, as: 77)
        conduct.forget(1)
        conduct.worker(1, isProcess: 78)
        #expect(conduct.process(of: 1) == nil)
    }

    @Test func successorAnswersWhatTheProgramHasNotAccepted() throws {
        let program = try FakeProgram(isConnected: false)
        program.conduct.endsByItself()
        program.conduct.worker(1, isProcess: 78)
        let background = Background {
            // Nobody accepts for a while: the program has ended, another one starts.
            Thread.sleep(milliseconds: 300)
            guard let worker = program.accept() else { return true }
            let asked = worker.read()
            worker.send(Says.answer("hello", asked.id))
            return asked.keepsConnection
        }
        let client = try Client(post(4), body: Array("body".utf8))
        #expect(relay().run(client.exchange, on: program.connection).fate == .reusable)
        #expect(client.response().text == "hello" && !background.value)
        #expect(program.connection.pid == 78 && !program.connection.isConnected)
    }

    @Test func requestIsGivenBackWhenTheProgramsQueueIsFullOrItsSocketGone() throws {
        let full = try FakeProgram(isConnected: true, backlog: 0)
        full.connection.disconnect()
        let ended = try FakeProgram(isConnected: false)
        ended.end()
        for program in [full, ended] {
            let client = try Client(post(4), body: Array("body".utf8))
            let end = relay().run(client.exchange, on: program.connection)
            #expect(end == RelayEnd(outcome: .unreached, fate: .broken))
            #expect(!client.exchange.headSent)
            _ = client.response()
        }
    }

    // MARK: Workers that do not stop talking

    /// A little of the answer every few milliseconds, or standard error without end: the total counts.
    @Test(arguments: [FastCGI.Kind.stdout, .stderr], [true, false])
    func talkativeWorkerEndsInTime(kind: FastCGI.Kind, pauses: Bool) throws {
        let client = try Client(get)
        let worker = try FakeWorker()
        let background = Background {
            let asked = worker.read()
            worker.send(Says.out("X: y\r\n\r\n", asked.id))
            let record = Says.content(
                kind, [UInt8](repeating: 0x78, count: pauses ? 1 : 60_000), asked.id)
            var sent = 0
            while worker.sends(record) {
                sent += record.count
                if pauses { Thread.sleep(milliseconds: 3) }
            }
            return sent
        }
        let end = relay(total: 3).run(client.exchange, on: worker.connection)
        #expect(end == RelayEnd(outcome: .answered, fate: .broken))
        worker.connection.disconnect()
        #expect(background.value > 0 && client.response().isCut)
    }

    /// More than 4 MiB beside the answer are read slowly: the worker waits, and costs no processor.
    @Test func endlessRecordsThatMeanNothingAreReadSlowly() throws {
        let client = try Client(get)
        let worker = try FakeWorker()
        let background = Background {
            _ = worker.read()
            // A management record of unknown type.
            let record: [UInt8] = [1, 200, 0, 0, 0xea, 0x60, 0, 0]
            let noise = record + [UInt8](repeating: 0x78, count: 60_000)
            var sent = 0
            while worker.sends(noise) { sent += noise.count }
            return sent
        }
        let end = relay(total: 2).run(client.exchange, on: worker.connection)
        #expect(end == RelayEnd(outcome: .answered, fate: .broken))
        worker.connection.disconnect()
        #expect(client.response().status == 504 && background.value < 16 << 20)
    }

    @Test func standardErrorIsNoSignOfProgress() throws {
        let folder = try TemporaryFolder()
        let client = try Client(get, log: "\(folder.path)/log")
        let worker = try FakeWorker()
        let background = Background {
            let asked = worker.read()
            while worker.sends(Says.content(.stderr, [0x78, 0x0a], asked.id)) {
                Thread.sleep(milliseconds: 3)
            }
            return true
        }
        let end = relay(silence: 0.3, total: 10).run(client.exchange, on: worker.connection)
        #expect(end.fate == .broken)
        worker.connection.disconnect()
        #expect(client.response().status == 504 && background.value)
        #expect(try folder.read("log").contains("the worker was silent for 0.3 s"))
    }

    @Test(arguments: [false, true]) func leavingIsSeenWhileTheWorkerTalks(isWorker: Bool) throws {
        let client = try Client(get)
        client.leave()
        let worker = try FakeWorker()
        let background = Background {
            let asked = worker.read()
            let record = Says.content(.stderr, [UInt8](repeating: 0x78, count: 60_000), asked.id)
            while worker.sends(record) {}
            return true
        }
        let end = relay(isWorker: isWorker).run(client.exchange, on: worker.connection)
        #expect(end.fate == (isWorker ? .broken : .abandoned))
        worker.connection.disconnect()
        #expect(background.value && client.response().status == 0)
    }

    @Test func failuresOfOnePoolAreLoggedNowAndThenAndCounted() throws {
        let folder = try TemporaryFolder()
        let relay = relay()
        for _ in 0..<200 {
            let client = try Client(get, log: "\(folder.path)/log")
            let worker = try FakeWorker()
            let background = Background {
                worker.send(Says.end(worker.read().id, .unknownRole))
                return true
            }
            _ = relay.run(client.exchange, on: worker.connection)
            #expect(background.value && client.response().status == 502)
        }
        let lines = try folder.read("log").split(separator: "\n")
        #expect((20..<100).contains(lines.count), "\(lines.count)")
    }

    @Test func linesOfStandardErrorAreCutCountedAndHarmless() throws {
        let folder = try TemporaryFolder()
        let client = try Client(get, log: "\(folder.path)/log")
        let (end, _, _) = try ask(client) { asked in
            let lines = String(repeating: "one of many\n", count: 1000)
            return Says.content(.stderr, Array("\u{1b}[31mred\r\n".utf8), asked.id)
                + Says.content(.stderr, [UInt8](repeating: 0x78, count: 60_000) + [0x0a], asked.id)
                + Says.content(.stderr, Array(lines.utf8), asked.id)
                + Says.answer("ok", asked.id)
        }
        #expect(end.fate == .reusable)
        let text = try folder.read("log")
        #expect(text.contains("\\x1b[31mred") && !text.contains("\u{1b}"))
        #expect(text.contains("[and 58976 bytes more]"))
        #expect(text.split(separator: "\n").count < 300)
    }

    @Test func floodOfErrorsLeavesTheAnswerRight() throws {
        let body = [UInt8](repeating: 0x62, count: 300_000)
        let (end, response, _) = try ask(try Client(get)) { asked in
            let noise = Says.content(.stderr, [UInt8](repeating: 0x1b, count: 60_000), asked.id)
            var stream = Says.out("X: y\r\n\r\n", asked.id)
            for start in stride(from: 0, to: body.count, by: 10_000) {
                stream += noise + Says.out(Array(body[start..<start + 10_000]), asked.id)
            }
            return stream + Says.end(asked.id)
        }
        #expect(end.fate == .reusable && response.body == body)
    }

    @Test func fieldTooLongForARecordIs431() throws {
        let client = try Client(
            "GET /\(String(repeating: "a", count: 100)) HTTP/1.1\r\nHost: a\r\n\r\n")
        client.exchange.route.scriptFilename = [UInt8](repeating: 0x61, count: 66_000)
        let worker = try FakeWorker()
        let end = relay().run(client.exchange, on: worker.connection)
        #expect(end == RelayEnd(outcome: .answered, fate: .reusable))
        #expect(client.response().status == 431)
    }

    @Test func localRedirectIsTheCallersToFollow() throws {
        let client = try Client(get)
        let (end, response, _) = try ask(client) {
            Says.out("Location: /other?x\r\n\r\nignored", $0.id) + Says.end($0.id)
        }
        #expect(end == RelayEnd(outcome: .redirect(path: Array("/other?x".utf8)), fate: .reusable))
        #expect(response.status == 0)
    }

    @Test func mortiseWorkerIsSentTheHeadAndMayWriteToTheAccessLog() throws {
        let client = try Client(get)
        let mapping = ServedMapping(
            name: "test", settings: [("GREETING", "hello"), ("COLOUR", "")])
        defer { withExtendedLifetime(mapping) {} }
        client.exchange.route.lead(to: Unmanaged.passUnretained(mapping))
        let (end, response, asked) = try ask(client, relay(isWorker: true)) {
            Says.out("Status: 200 OK\r\n\r\n", $0.id)
                + Says.content(.accessLog, [1, 0xf4] + Array("note".utf8), $0.id) + Says.end($0.id)
        }
        #expect(end.fate == .reusable && response.status == 200)
        #expect(client.exchange.logNote == Array("note".utf8))
        #expect(asked.params["MORTISE_HEAD"] == get && asked.params["HTTP_X_ONE"] == nil)
        #expect(asked.params["MORTISE_SETTINGS"] == "GREETING,COLOUR")
        #expect(asked.params["GREETING"] == "hello" && asked.params["COLOUR"] == "")
    }
}
