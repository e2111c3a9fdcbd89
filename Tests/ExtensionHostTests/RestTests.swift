// What a control block, or what it points to, still tells after its call has ended.
// SPDX-License-Identifier: Apache-2.0

import ExtensionHost
import TestExtensions
import Testing

struct RestTests {
    /// Keeps the block of one call and uses it in later ones, as a thread that is too late does.
    private static let late = """
        static EXTENSION_CONTROL_BLOCK *kept;
        DWORD WINAPI HttpExtensionProc(EXTENSION_CONTROL_BLOCK *e) {
            char line[100], buffer[100];
            DWORD size = 5, room = sizeof buffer, none = 0;
            int results = 0;
            head(e, NULL, "\\r\\n");
            switch (*e->lpszQueryString) {
            case 'k': kept = e; break;
            case 'c':
                results += kept->WriteClient(kept->ConnID, "ghost", &size, 0);
                size = 5;
                results += kept->WriteClient((HCONN)kept, "ghost", &size, 0);
                results += kept->GetServerVariable(kept->ConnID, "QUERY_STRING", buffer, &room);
                results += kept->ReadClient(kept->ConnID, buffer, &room);
                results += kept->ServerSupportFunction(kept->ConnID, HSE_REQ_DONE_WITH_SESSION, NULL, NULL, NULL);
                results += kept->ServerSupportFunction((HCONN)kept, HSE_REQ_DONE_WITH_SESSION, NULL, NULL, NULL);
                results += kept->ServerSupportFunction(kept->ConnID, HSE_REQ_IS_CONNECTED, &none, NULL, NULL);
                break;
            }
            sprintf(line, "%d %d", results, kept == e);
            say(e, line);
            return HSE_STATUS_SUCCESS;
        }
        """

    @Test func aBlockUsedAfterItsEndReachesNoneOfManyLaterRequests() throws {
        let loaded = try LoadedExtension.make(Self.late)
        #expect(loaded.answer(FakeExchange("/x?k")).text == "0 1")
        for _ in 0..<100 {
            let later = loaded.answer(FakeExchange("/x?c", method: "POST", body: [1, 2, 3]))
            #expect(later.text == "0 0" && later.failures.isEmpty)
        }
    }

    @Test func aPendingCallsBlockRestsToo() throws {
        let loaded = try LoadedExtension.make(
            """
            static EXTENSION_CONTROL_BLOCK *kept;
            DWORD WINAPI HttpExtensionProc(EXTENSION_CONTROL_BLOCK *e) {
                DWORD size = 5;
                if (*e->lpszQueryString == 'k') { kept = e; return HSE_STATUS_PENDING; }
                head(e, NULL, "\\r\\n");
                say(e, kept->WriteClient(kept->ConnID, "ghost", &size, 0) || kept == e ? "reached" : "refused");
                return HSE_STATUS_SUCCESS;
            }
            """)
        guard case .pending(let call) = loaded.call(FakeExchange("/x?k")) else {
            Issue.record("the call is not pending")
            return
        }
        #expect(call.revoke())
        for _ in 0..<100 { #expect(loaded.answer(FakeExchange("/x?c")).text == "refused") }
    }

    /// Tells of the 3,000 bytes behind a short body and its strings whether all are zero.
    private static let curious = """
        DWORD WINAPI HttpExtensionProc(EXTENSION_CONTROL_BLOCK *e) {
            const char *end = e->lpszContentType + strlen(e->lpszContentType);
            int other = 0;
            if (e->cbTotalBytes == 1)
                for (int i = 0; i < 3000; i++) other += (e->lpbData[e->cbAvailable + i] != 0) + (end[i] != 0);
            head(e, NULL, "\\r\\n");
            say(e, other ? "another request's" : "nothing");
            return HSE_STATUS_SUCCESS;
        }
        """

    @Test func nothingOfAnotherRequestLiesBehindTheBodyOrTheStrings() throws {
        let loaded = try LoadedExtension.make(Self.curious)
        let long = String(repeating: "s", count: 4000)
        let secret = [UInt8](repeating: 0x73, count: 20_000)
        // More long requests than blocks can rest: the short ones get memory that a long one has used.
        for _ in 0..<400 {
            _ = loaded.answer(FakeExchange("/x?\(long)", method: "POST", body: secret))
        }
        for _ in 0..<400 {
            let exchange = FakeExchange("/x?a", method: "POST", body: [0x61])
            #expect(loaded.answer(exchange).text == "nothing")
        }
    }

    @Test func whatLiesBehindAnEmptyBodyIsTheCallsOwn() throws {
        let loaded = try LoadedExtension.make(
            """
            DWORD WINAPI HttpExtensionProc(EXTENSION_CONTROL_BLOCK *e) {
                static int calls;
                int was = *e->lpbData;
                *e->lpbData = 'x';
                head(e, NULL, "\\r\\n");
                say(e, was ? "shared" : "own");
                return ++calls ? HSE_STATUS_SUCCESS : 0;
            }
            """)
        for _ in 0..<300 { #expect(loaded.answer().text == "own") }
    }
}
