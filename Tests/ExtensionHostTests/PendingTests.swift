// HSE_STATUS_PENDING: who ends a request, how often, and what comes too late.
// SPDX-License-Identifier: Apache-2.0

import ExtensionHost
import Platform
import Synchronization
import TestExtensions
import Testing

@Suite(.serialized, .timeLimit(.minutes(5)))
struct PendingTests {
    /// Starts `later` on a thread of its own and returns PENDING.
    private static let starts = """
        static void *later(void *);
        static void start(EXTENSION_CONTROL_BLOCK *e) {
            pthread_t thread;
            pthread_create(&thread, NULL, later, e);
            pthread_detach(thread);
        }
        static BOOL done(EXTENSION_CONTROL_BLOCK *e) {
            DWORD status = HSE_STATUS_SUCCESS_AND_KEEP_CONN;
            return e->ServerSupportFunction(e->ConnID, HSE_REQ_DONE_WITH_SESSION, &status, NULL, NULL);
        }

        """

    @Test func anotherThreadAnswersAndEndsTheRequest() throws {
        let loaded = try LoadedExtension.make(
            Self.starts + """
                static void *later(void *p) {
                    EXTENSION_CONTROL_BLOCK *e = p;
                    usleep(20000);
                    head(e, NULL, "\\r\\n");
                    say(e, "late");
                    e->dwHttpStatusCode = 201;
                    strcpy(e->lpszLogData, "logged");
                    done(e);
                    return NULL;
                }
                DWORD WINAPI HttpExtensionProc(EXTENSION_CONTROL_BLOCK *e) { start(e); return HSE_STATUS_PENDING; }
                """)
        let exchange = FakeExchange()
        guard case .pending = loaded.call(exchange) else {
            Issue.record("the call is not pending")
            return
        }
        exchange.waitForCompletion()
        let answer = exchange.answer
        #expect(answer.text == "late" && answer.completions == 1 && answer.failures.isEmpty)
        #expect(answer.log == "logged" && answer.notedStatus == 201)
    }

    @Test func doneBeforeTheReturnAndDoneTwiceEndTheRequestOnce() throws {
        let loaded = try LoadedExtension.make(
            Self.starts + """
                static void *later(void *p) { return p; }
                DWORD WINAPI HttpExtensionProc(EXTENSION_CONTROL_BLOCK *e) {
                    char line[80];
                    head(e, NULL, "\\r\\n");
                    say(e, "x");
                    BOOL first = done(e), second = done(e);
                    SetLastError(0);
                    say(e, "late");
                    if (!first || second || GetLastError() != ERROR_INVALID_PARAMETER) abort();
                    sprintf(line, "%d", first);
                    return *e->lpszQueryString == 'p' ? HSE_STATUS_PENDING : HSE_STATUS_SUCCESS;
                }
                """)
        for target in ["/x?p", "/x?s"] {
            let exchange = FakeExchange(target)
            guard case .finished = loaded.call(exchange) else {
                Issue.record("the call is pending")
                continue
            }
            #expect(exchange.answer.text == "x" && exchange.answer.completions == 0)
            #expect(exchange.answer.failures.isEmpty)
        }
    }

    @Test func aRequestThatIsNeverEndedIsRevokedAndLaterCallsFail() throws {
        let loaded = try LoadedExtension.make(
            """
            static HCONN kept;
            DWORD WINAPI HttpExtensionProc(EXTENSION_CONTROL_BLOCK *e) {
                char line[80];
                DWORD size = 4;
                if (*e->lpszQueryString == 'p') { kept = e->ConnID; return HSE_STATUS_PENDING; }
                BOOL write = e->WriteClient(kept, "late", &size, 0);
                BOOL end = e->ServerSupportFunction(kept, HSE_REQ_DONE_WITH_SESSION, NULL, NULL, NULL);
                sprintf(line, "%d %d %u", write, end, GetLastError());
                head(e, NULL, "\\r\\n");
                say(e, line);
                return HSE_STATUS_SUCCESS;
            }
            """)
        let exchange = FakeExchange("/x?p")
        let noted = Mutex<PendingCall?>(nil)
        guard
            case .pending(let call) = loaded.call(
                exchange, whenPending: { call in noted.withLock { $0 = call } })
        else {
            Issue.record("the call is not pending")
            return
        }
        #expect(noted.withLock { $0 } != nil)
        #expect(call.revoke())
        #expect(!call.revoke())
        #expect(exchange.answer.failures == [504] && exchange.answer.completions == 1)
        #expect(loaded.answer(FakeExchange("/x?q")).text == "0 0 87")
        #expect(exchange.answer.body.isEmpty && exchange.answer.completions == 1)
    }

    @Test func eightThreadsRacingAgainstTheEndReachNobodyElsesRequest() throws {
        let loaded = try LoadedExtension.make(
            """
            static void *race(void *p) {
                EXTENSION_CONTROL_BLOCK e = *(EXTENSION_CONTROL_BLOCK *)p;
                free(p);
                for (int i = 0; i < 300; i++) {
                    char buffer[64];
                    DWORD one = 1, room = sizeof buffer;
                    e.WriteClient(e.ConnID, "w", &one, 0);
                    e.GetServerVariable(e.ConnID, "REQUEST_METHOD", buffer, &room);
                    room = sizeof buffer;
                    e.ReadClient(e.ConnID, buffer, &room);
                    if (i % 100 == 50)
                        e.ServerSupportFunction(e.ConnID, HSE_REQ_DONE_WITH_SESSION, NULL, NULL, NULL);
                }
                return NULL;
            }
            DWORD WINAPI HttpExtensionProc(EXTENSION_CONTROL_BLOCK *e) {
                pthread_t threads[8];
                if (*e->lpszQueryString == 'v') {
                    head(e, NULL, "\\r\\n");
                    usleep(200);
                    say(e, "victim");
                    return HSE_STATUS_SUCCESS;
                }
                head(e, NULL, "\\r\\n");
                for (int i = 0; i < 8; i++) {
                    pthread_create(&threads[i], NULL, race, memcpy(malloc(sizeof *e), e, sizeof *e));
                    pthread_detach(threads[i]);
                }
                usleep(1000);
                return HSE_STATUS_PENDING;
            }
            """)
        for _ in 0..<20 {
            let racer = FakeExchange("/x?r", method: "POST", body: Array("some body".utf8))
            let outcome = loaded.call(racer)
            for _ in 0..<20 {
                let victim = loaded.answer(FakeExchange("/x?v"))
                #expect(victim.text == "victim" && victim.failures.isEmpty)
            }
            if case .pending = outcome { racer.waitForCompletion() }
            #expect(racer.answer.completions <= 1 && racer.answer.failures.isEmpty)
            #expect(racer.answer.body.allSatisfy { $0 == UInt8(ascii: "w") })
        }
        Thread.sleep(milliseconds: 50)
    }

    @Test func manyThreadsCallAtOnceAndEachGetsItsOwnAnswer() throws {
        let loaded = try LoadedExtension.make(
            """
            DWORD WINAPI HttpExtensionProc(EXTENSION_CONTROL_BLOCK *e) {
                char name[80];
                DWORD size = sizeof name;
                head(e, NULL, "\\r\\n");
                if (!e->GetServerVariable(e->ConnID, "QUERY_STRING", name, &size)) return HSE_STATUS_ERROR;
                if (strcmp(name, e->lpszQueryString) != 0) return HSE_STATUS_ERROR;
                say(e, name);
                return HSE_STATUS_SUCCESS;
            }
            """)
        let wrong = SharedCount()
        let finished = SharedCount()
        for thread in 0..<4 {
            try Thread.start(named: "caller") {
                for index in 0..<500 {
                    let answer = loaded.answer(FakeExchange("/x?t\(thread)-\(index)"))
                    if answer.text != "t\(thread)-\(index)" { wrong.add() }
                }
                finished.add()
            }
        }
        while finished.value < 4 { Thread.sleep(milliseconds: 5) }
        #expect(wrong.value == 0)
    }

    private final class SharedCount: Sendable {
        private let count = Atomic<Int>(0)
        var value: Int { count.load(ordering: .acquiring) }
        func add() { count.add(1, ordering: .acquiringAndReleasing) }
    }
}
