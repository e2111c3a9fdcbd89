// The worker as a web server meets it: records over a Unix socket.
// SPDX-License-Identifier: Apache-2.0

import Exchange
import Platform
import Testing

@Suite(.timeLimit(.minutes(5)))
struct WorkerTests {
    /// Answers with the variables it is asked for in the query, or what the first letter of it says.
    private static let source = """
        static void *later(void *p) {
            EXTENSION_CONTROL_BLOCK *e = p;
            usleep(20000);
            head(e, NULL, "Content-Length: 4\\r\\n\\r\\n");
            say(e, "late");
            e->ServerSupportFunction(e->ConnID, HSE_REQ_DONE_WITH_SESSION, NULL, NULL, NULL);
            return NULL;
        }
        static void tell(EXTENSION_CONTROL_BLOCK *e, char *name) {
            char value[2000], line[2100];
            DWORD size = sizeof value;
            if (!e->GetServerVariable(e->ConnID, name, value, &size)) sprintf(value, "(%u)", GetLastError());
            sprintf(line, "%s=%s\\n", name, value);
            say(e, line);
        }
        DWORD WINAPI HttpExtensionProc(EXTENSION_CONTROL_BLOCK *e) {
            static char buffer[300000];
            pthread_t thread;
            unsigned long count = e->cbAvailable, sum = 0;
            DWORD size;
            BOOL connected = TRUE;
            switch (*e->lpszQueryString) {
            case 'b':
                for (DWORD i = 0; i < e->cbAvailable; i++) sum = sum * 31 + e->lpbData[i];
                do {
                    size = 5000;
                    if (!e->ReadClient(e->ConnID, buffer, &size)) return HSE_STATUS_ERROR;
                    for (DWORD i = 0; i < size; i++) sum = sum * 31 + (unsigned char)buffer[i];
                    count += size;
                } while (size > 0);
                sprintf(buffer, "%u %lu %lu", e->cbTotalBytes, count, sum);
                head(e, NULL, "\\r\\n");
                say(e, buffer);
                break;
            case 'l':
                memset(buffer, 'L', sizeof buffer);
                head(e, NULL, "\\r\\n");
                size = sizeof buffer;
                e->WriteClient(e->ConnID, buffer, &size, 0);
                break;
            case 'M': case 'B':
                memset(buffer, 'M', sizeof buffer);
                head(e, NULL, "\\r\\n");
                for (int i = 0; i < 30; i++) {
                    size = sizeof buffer;
                    if (!e->WriteClient(e->ConnID, buffer, &size, 0)) return HSE_STATUS_ERROR;
                }
                if (*e->lpszQueryString == 'B') break;
                do {
                    size = sizeof buffer;
                    if (!e->ReadClient(e->ConnID, buffer, &size)) return HSE_STATUS_ERROR;
                    for (DWORD i = 0; i < size; i++) sum = sum * 31 + (unsigned char)buffer[i];
                    count += size;
                } while (size > 0);
                sprintf(buffer, " %lu %lu", count, sum);
                say(e, buffer);
                break;
            case 'i':
                usleep(20000);
                e->ServerSupportFunction(e->ConnID, HSE_REQ_IS_CONNECTED, &connected, NULL, NULL);
                head(e, NULL, "\\r\\n");
                say(e, connected ? "connected" : "gone");
                break;
            case 'x': head(e, NULL, "Content-Length: 4\\r\\n\\r\\n"); say(e, "goo"); say(e, "d and more"); break;
            case 'y': head(e, NULL, "Content-Length: 10\\r\\n\\r\\n"); say(e, "short"); break;
            case 'z': head(e, e->lpszQueryString + 1, "X: 1\\r\\n\\r\\n"); say(e, "no body"); break;
            case 'p': pthread_create(&thread, NULL, later, e); pthread_detach(thread); return HSE_STATUS_PENDING;
            case 'n': return HSE_STATUS_PENDING;
            case 'e': return HSE_STATUS_ERROR;
            case 'c': head(e, NULL, "\\r\\n"); say(e, "part"); return HSE_STATUS_ERROR;
            case 's': usleep(100000); head(e, NULL, "\\r\\n"); say(e, "slow"); break;
            case 'w':
                for (int i = 0; i < 3000 && connected; i++) {
                    e->ServerSupportFunction(e->ConnID, HSE_REQ_IS_CONNECTED, &connected, NULL, NULL);
                    usleep(1000);
                }
                head(e, NULL, "\\r\\n");
                say(e, connected ? "never" : "aborted");
                break;
            case 'W':
                head(e, NULL, "\\r\\n");
                for (int i = 0; i < 300; i++) {
                    size = 5;
                    if (!e->WriteClient(e->ConnID, "event", &size, 0)) return HSE_STATUS_SUCCESS;
                    usleep(60000);
                }
                break;
            case 'g':
                e->ServerSupportFunction(e->ConnID, HSE_APPEND_LOG_PARAMETER, "noted", NULL, NULL);
                e->dwHttpStatusCode = 299;
                head(e, NULL, "Content-Length: 2\\r\\n\\r\\n");
                say(e, "ok");
                break;
            default:
                head(e, "201 Made", "Content-Type: text/plain\\r\\n\\r\\n");
                tell(e, "REQUEST_METHOD"); tell(e, "URL"); tell(e, "QUERY_STRING"); tell(e, "PATH_INFO");
                tell(e, "HTTP_HOST"); tell(e, "HTTP_ACCEPT_LANGUAGE"); tell(e, "REMOTE_ADDR"); tell(e, "DOCUMENT_ROOT");
                tell(e, "ALL_RAW"); tell(e, "COLOUR"); tell(e, "SHAPE"); tell(e, "APP_POOL_ID");
            }
            return HSE_STATUS_SUCCESS;
        }
        """

    private static func asking(_ letter: String) -> [(String, String)] {
        WorkerClient.get.map { $0.0 == "REQUEST_URI" ? ($0.0, "/x?\(letter)") : $0 }
    }

    @Test func behindAnyWebServerTheVariablesAreWhatTheyWere() throws {
        let worker = try RunningWorker(Self.source, settings: [("COLOUR", "red")])
        let client = try worker.connect()
        client.send(WorkerClient.request())
        let answer = client.answer()
        #expect(answer.text.hasPrefix("Status: 201 Made\r\nContent-Type: text/plain\r\n\r\n"))
        #expect(
            answer.body == """
                REQUEST_METHOD=GET
                URL=/x
                QUERY_STRING=q=1
                PATH_INFO=
                HTTP_HOST=test
                HTTP_ACCEPT_LANGUAGE=eo
                REMOTE_ADDR=192.0.2.1
                DOCUMENT_ROOT=/srv
                ALL_RAW=Host: test\r
                Accept-Language: eo\r

                COLOUR=red
                SHAPE=(1413)
                APP_POOL_ID=

                """)
        #expect(answer.status == .requestComplete && answer.log == nil)
    }

    @Test func aMortiseHostsHeadAndSettingsAreUsedAsTheyAre() throws {
        let worker = try RunningWorker(Self.source)
        let client = try worker.connect()
        let head = "GET /%78?q=%201 HTTP/1.1\r\nHost: Example.TEST:81\r\nX-odd:   spaced\r\n\r\n"
        client.send(
            WorkerClient.request(
                WorkerClient.get + [
                    ("MORTISE_HEAD", head), ("MORTISE_SETTINGS", "Colour,Shape"),
                    ("Colour", "blue"),
                    ("Shape", ""), ("MORTISE_POOL", "tests"), ("PATH_INFO", "/more"),
                ]))
        let body = client.answer().body
        #expect(
            body.contains("HTTP_HOST=Example.TEST:81\n") && body.contains("QUERY_STRING=q=%201\n"))
        #expect(body.contains("ALL_RAW=Host: Example.TEST:81\r\nX-odd: spaced\r\n"))
        #expect(
            body.contains("COLOUR=blue\nSHAPE=\nAPP_POOL_ID=tests\n")
                && body.contains("PATH_INFO=/more\n"))
        #expect(body.contains("HTTP_ACCEPT_LANGUAGE=(1413)"))
    }

    @Test(arguments: [(0, 65535), (1, 65535), (49153, 65535), (200_000, 65535), (100_000, 11)])
    func aBodyArrivesWholeHoweverItIsCut(size: Int, recordSize: Int) throws {
        let worker = try RunningWorker(Self.source)
        let client = try worker.connect()
        let body = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 13) }
        let sum = body.reduce(UInt64(0)) { $0 &* 31 &+ UInt64($1) }
        let bytes = WorkerClient.request(Self.asking("b"), body: body, recordSize: recordSize)
        try Thread.start(named: "sender") { [socket = client.socket] in
            var rest = bytes[...]
            while !rest.isEmpty {
                guard case .bytes(let count) = rest.withUnsafeBytes({ Socket.send(socket, $0) })
                else { return }
                rest = rest.dropFirst(count)
            }
        }
        #expect(client.answer().body == "\(size) \(size) \(sum)")
    }

    @Test func aKeptConnectionServesManyRequestsAndAnUnreadBodyHurtsNone() throws {
        let worker = try RunningWorker(Self.source)
        let client = try worker.connect()
        for index in 0..<20 {
            let body = [UInt8](repeating: 0x41, count: index * 9000)
            client.send(
                WorkerClient.request(Self.asking("g"), body: body, id: UInt16(index % 3 + 1)))
            let answer = client.answer()
            #expect(answer.text == "Status: 200 OK\r\nContent-Length: 2\r\n\r\nok")
            #expect(answer.kinds == [6, 6, 3])
        }
        client.send(WorkerClient.request(Self.asking("l"), keeps: false))
        let last = client.answer()
        #expect(last.output.count == 300_000 + 18 && last.output.last == UInt8(ascii: "L"))
        #expect(client.answer().isCut)
        let next = try worker.connect()
        next.send(WorkerClient.request(Self.asking("g")))
        #expect(next.answer().body == "ok")
    }

    /// nginx sends no more of the body once the answer has come, and waits for its end; so does a Mortise host.
    @Test(arguments: [false, true])
    func theWholeAnswerComesWhileTheBodyIsStillUnsent(isFromMortise: Bool) throws {
        let worker = try RunningWorker(Self.source)
        let client = try worker.connect()
        let body = [UInt8](repeating: 0x41, count: 10 << 20)
        let head = "POST /x?g HTTP/1.1\r\nHost: test\r\nContent-Length: \(body.count)\r\n\r\n"
        let params = Self.asking("g") + (isFromMortise ? [("MORTISE_HEAD", head)] : [])
        let bytes = WorkerClient.request(params, body: body)
        client.send(Array(bytes[..<100_000]))
        let answer = client.answer()
        #expect(answer.body == "ok" && answer.status == .requestComplete)
        #expect((answer.log != nil) == isFromMortise)
        // The records of the ended request are passed over.
        client.send(Array(bytes[100_000...]))
        client.send(WorkerClient.request(Self.asking("b"), body: Array("0123456789".utf8)))
        #expect(client.answer().body.hasPrefix("10 10 "))
    }

    @Test(arguments: ["g", "l", "B", "M"])
    func aClientThatSendsTheWholeBodyFirstGetsItsAnswer(letter: String) throws {
        let worker = try RunningWorker(Self.source)
        let client = try worker.connect()
        let body = (0..<(1 << 20)).map { UInt8(truncatingIfNeeded: $0 &* 13) }
        let sum = body.dropFirst(48 << 10).reduce(UInt64(0)) { $0 &* 31 &+ UInt64($1) }
        let isRead = letter == "M"
        let request = WorkerClient.request(
            Self.asking(letter), body: isRead ? body : [UInt8](repeating: 0x41, count: 10 << 20))
        for _ in 0..<2 {
            client.send(request)
            let answer = client.answer()
            #expect(answer.status == .requestComplete && answer.errors.isEmpty)
            switch letter {
            case "g": #expect(answer.body == "ok")
            case "l": #expect(answer.output.count == 300_000 + 18)
            case "B": #expect(answer.output.count == 9_000_000 + 18)
            default: #expect(answer.text.hasSuffix("M \(body.count) \(sum)"))
            }
        }
    }

    @Test func aConnectionThatIsNotKeptIsClosedBehindTheAnswerAlsoWithABodyOnItsWay() throws {
        let worker = try RunningWorker(Self.source)
        let client = try worker.connect()
        let body = [UInt8](repeating: 0x41, count: 1 << 20)
        client.send(WorkerClient.request(Self.asking("l"), body: body, keeps: false))
        let answer = client.answer()
        #expect(answer.output.count == 300_000 + 18 && answer.status == .requestComplete)
        #expect(client.answer().isCut)
    }

    @Test func aPeerThatHasClosedItsDirectionIsStillThereAndGetsItsAnswer() throws {
        let worker = try RunningWorker(Self.source)
        let client = try worker.connect()
        client.send(WorkerClient.request(Self.asking("i")))
        Socket.shutdownWrite(client.socket)
        let answer = client.answer()
        #expect(answer.body == "connected" && answer.status == .requestComplete)
    }

    @Test func aBodyThatEndsTooEarlyIsAnErrorOfTheReadAndStillAnswered() throws {
        let worker = try RunningWorker(Self.source)
        let client = try worker.connect()
        let body = [UInt8](repeating: 0x41, count: 100_000)
        client.send(Array(WorkerClient.request(Self.asking("b"), body: body)[..<60_000]))
        Socket.shutdownWrite(client.socket)
        #expect(client.answer().text.hasPrefix("Status: 500 "))
        // The same with an end of FCGI_STDIN in the wrong place.
        let other = try worker.connect()
        var params = Self.asking("b")
        params.append(("CONTENT_LENGTH", "20"))
        var bytes = WorkerClient.request(params)
        bytes.removeLast(FastCGI.headerLength)
        FastCGI.appendContent(Array("0123456789".utf8).span, .stdin, id: 1, to: &bytes)
        FastCGI.appendEmpty(.stdin, id: 1, to: &bytes)
        other.send(bytes)
        #expect(other.answer().text.hasPrefix("Status: 500 "))
    }

    @Test func aBodyIsWhatItsHeadHasAnnounced() throws {
        let worker = try RunningWorker(Self.source)
        let client = try worker.connect()
        client.send(WorkerClient.request(Self.asking("x")))
        #expect(client.answer().body == "good")
        for (letter, status) in [("z204", "204 No Content"), ("z304", "304 Not Modified")] {
            client.send(WorkerClient.request(Self.asking(letter)))
            #expect(client.answer().text == "Status: \(status)\r\nX: 1\r\n\r\n")
        }
        let head = Self.asking("g").map { $0.0 == "REQUEST_METHOD" ? ($0.0, "HEAD") : $0 }
        client.send(WorkerClient.request(head))
        #expect(client.answer().text == "Status: 200 OK\r\nContent-Length: 2\r\n\r\n")
        client.send(WorkerClient.request(Self.asking("y")))
        let short = client.answer()
        #expect(short.body == "short" && short.isCut)
        #expect(short.errors == "the body ended 5 bytes before its Content-Length\n")
    }

    @Test func whatTheAccessLogShallSayTravelsToAMortiseHostOnly() throws {
        let worker = try RunningWorker(Self.source)
        let client = try worker.connect()
        let head = "GET /x?g HTTP/1.1\r\nHost: test\r\n\r\n"
        client.send(WorkerClient.request(WorkerClient.get + [("MORTISE_HEAD", head)]))
        let answer = client.answer()
        #expect(answer.log == [1, 43] + Array("noted".utf8))
        #expect(answer.kinds == [6, 64, 6, 3])
    }

    @Test func failuresBecomeA500OrACutAnswer() throws {
        let worker = try RunningWorker(Self.source)
        let client = try worker.connect()
        client.send(WorkerClient.request(Self.asking("e")))
        let failed = client.answer()
        #expect(
            failed.text.hasPrefix("Status: 500 Internal Server Error\r\n")
                && failed.status == .requestComplete)
        let words = ": the extension returned HSE_STATUS_ERROR; "
        #expect(failed.errors.hasPrefix("GET /"))
        #expect(failed.errors.hasSuffix(words + "answered 500\n"))
        client.send(WorkerClient.request(Self.asking("c")))
        let cut = client.answer()
        #expect(cut.body == "part" && cut.isCut)
        #expect(cut.errors.hasSuffix(words + "cut the response\n"))
    }

    @Test func aPendingRequestIsWaitedForAndOneThatNeverEndsIsRevoked() throws {
        let patient = try RunningWorker(Self.source)
        let first = try patient.connect()
        first.send(WorkerClient.request(Self.asking("p")))
        #expect(first.answer().body == "late")
        let worker = try RunningWorker(Self.source, requestTimeout: 0.2)
        let client = try worker.connect()
        client.send(WorkerClient.request(Self.asking("n")))
        #expect(client.answer().text.hasPrefix("Status: 504 Gateway Timeout\r\n"))
        client.send(WorkerClient.request(Self.asking("g")))
        #expect(client.answer().body == "ok")
    }

    @Test func anAbortIsSeenByTheExtension() throws {
        let worker = try RunningWorker(Self.source)
        let client = try worker.connect()
        var bytes = WorkerClient.request(Self.asking("w"))
        FastCGI.appendEmpty(.abortRequest, id: 1, to: &bytes)
        client.send(bytes)
        #expect(client.answer().status == .requestComplete)
        client.send(WorkerClient.request(Self.asking("g")))
        #expect(client.answer().body == "ok")
    }

    @Test func anAbortEndsAnAnswerThatTakesItsTime() throws {
        let worker = try RunningWorker(Self.source)
        let client = try worker.connect()
        client.send(WorkerClient.request(Self.asking("W")))
        Thread.sleep(milliseconds: 150)
        var bytes: [UInt8] = []
        FastCGI.appendEmpty(.abortRequest, id: 1, to: &bytes)
        client.send(bytes)
        let answer = client.answer()
        #expect(answer.status == .requestComplete)
        #expect(answer.body.count < 300 * 5 && answer.errors.isEmpty)
        client.send(WorkerClient.request(Self.asking("g")))
        #expect(client.answer().body == "ok")
    }

    @Test func managementRecordsAndOtherRolesAreAnswered() throws {
        let worker = try RunningWorker(Self.source)
        let client = try worker.connect()
        var pairs: [UInt8] = []
        for name in ["FCGI_MAX_CONNS", "FCGI_MPXS_CONNS", "FCGI_OTHER"] {
            FastCGI.appendPair(Array(name.utf8).span, [UInt8]().span, to: &pairs)
        }
        var bytes: [UInt8] = []
        FastCGI.appendContent(pairs.span, .getValues, id: 0, to: &bytes)
        client.send(bytes)
        #expect(String(decoding: client.answer().output, as: UTF8.self).contains("FCGI_MAX_CONNS1"))
        client.send([1, 99, 0, 0, 0, 0, 0, 0])
        #expect(client.answer().output == [99, 0, 0, 0, 0, 0, 0, 0])
        client.send(WorkerClient.request(role: .authorizer))
        #expect(client.answer().status == .unknownRole)
        // A second request on the same connection is refused, the first is served.
        var first = WorkerClient.request(Self.asking("b"), body: Array("0123456789".utf8))
        first.insert(contentsOf: WorkerClient.request(id: 2)[..<16], at: 16)
        client.send(first)
        #expect(client.answer().status == .cannotMultiplex)
        #expect(client.answer().body.hasPrefix("10 10 "))
    }

    @Test(
        arguments: [
            [2, 1, 0, 1, 0, 8, 0, 0], [1, 1, 0, 1, 0, 9, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0],
            // Lengths near 2^31 in a pair of FCGI_PARAMS (CVE-2025-23016).
            [1, 1, 0, 1, 0, 8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 4, 0, 1, 0, 9, 0, 0]
                + [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x41, 1, 4, 0, 1, 0, 0, 0, 0],
            // A body before the end of the parameters.
            [1, 1, 0, 1, 0, 8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 5, 0, 1, 0, 0, 0, 0],
        ] as [[UInt8]])
    func malformedInputClosesTheConnectionAndNothingElse(bytes: [UInt8]) throws {
        let worker = try RunningWorker(Self.source)
        let client = try worker.connect()
        client.send(bytes)
        let answer = client.answer()
        #expect(answer.isCut && answer.kinds.isEmpty)
        let next = try worker.connect()
        next.send(WorkerClient.request(Self.asking("g")))
        #expect(next.answer().body == "ok")
    }

    @Test func parametersThatMakeNoRequestAreA400() throws {
        let worker = try RunningWorker(Self.source)
        let client = try worker.connect()
        client.send(WorkerClient.request(WorkerClient.get + [("HTTP_X", "a\r\nB: c")]))
        #expect(client.answer().text.hasPrefix("Status: "))
        client.send(
            WorkerClient.request([
                ("REQUEST_METHOD", "G T"), ("REQUEST_URI", "/"), ("SERVER_NAME", "x"),
            ]))
        #expect(client.answer().text.hasPrefix("Status: 400 "))
    }

    @Test func aStopFinishesTheCurrentRequestAndWakesAnIdleWorker() throws {
        let busy = try RunningWorker(Self.source)
        let client = try busy.connect()
        client.send(WorkerClient.request(Self.asking("s")))
        // The worker has read it.
        while Transport(client.socket).undelivered > 0 { Thread.sleep(milliseconds: 1) }
        busy.stop()
        #expect(client.answer().body == "slow")
        #expect(busy.waitForEnd())
        let idle = try RunningWorker(Self.source)
        let second = try idle.connect()
        second.send(WorkerClient.request(Self.asking("g")))
        #expect(second.answer().body == "ok")
        idle.stop()
        #expect(idle.waitForEnd())
        let unused = try RunningWorker(Self.source)
        unused.stop()
        #expect(unused.waitForEnd())
    }
}
