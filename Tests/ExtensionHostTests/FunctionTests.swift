// The contract of each function of the control block, as an extension meets it.
// SPDX-License-Identifier: Apache-2.0

import ExtensionHost
import TestExtensions
import Testing

struct FunctionTests {
    @Test func theControlBlockIsCompleteAndItsStringsAreNeverNull() throws {
        let loaded = try LoadedExtension.make(
            """
            DWORD WINAPI HttpExtensionProc(EXTENSION_CONTROL_BLOCK *e) {
                char line[400];
                head(e, NULL, "\\r\\n");
                sprintf(line, "%u %x %u [%s] %s [%s] [%s] [%s] [%s] %u %u [%s]", e->cbSize, e->dwVersion,
                        e->dwHttpStatusCode, e->lpszLogData, e->lpszMethod, e->lpszQueryString, e->lpszPathInfo,
                        e->lpszPathTranslated, e->lpszContentType, e->cbTotalBytes, e->cbAvailable,
                        (char *)e->lpbData);
                say(e, line);
                return HSE_STATUS_SUCCESS;
            }
            """)
        #expect(
            loaded.answer(FakeExchange("/x?a=b&c")).text
                == "192 80000 200 [] GET [a=b&c] [/more] [/srv/www/more] [] 0 0 []")
        let post = FakeExchange(
            "/x", method: "POST", fields: "Content-Type: text/plain\r\n", body: Array("hello".utf8))
        #expect(
            loaded.answer(post).text
                == "192 80000 200 [] POST [] [/more] [/srv/www/more] [text/plain] 5 5 [hello]")
    }

    @Test func aServerVariableTellsItsSizeAndNeverOverflowsItsBuffer() throws {
        let loaded = try LoadedExtension.make(
            """
            static void ask(EXTENSION_CONTROL_BLOCK *e, char *name, char *buffer, DWORD *size) {
                char line[200];
                SetLastError(0);
                BOOL result = e->GetServerVariable(e->ConnID, name, buffer, size);
                sprintf(line, "%d %u %u %s\\n", result, GetLastError(), size ? *size : 0,
                        result ? buffer : "-");
                say(e, line);
            }
            DWORD WINAPI HttpExtensionProc(EXTENSION_CONTROL_BLOCK *e) {
                char buffer[64] = "";
                DWORD none = 0, short3 = 3, exact = 4, all = sizeof buffer, twice = sizeof buffer;
                head(e, NULL, "\\r\\n");
                ask(e, "REQUEST_METHOD", NULL, &none);
                ask(e, "REQUEST_METHOD", buffer, &short3);
                ask(e, "request_method", buffer, &exact);
                ask(e, "HTTP_MISSING", buffer, &all);
                ask(e, "NO_SUCH_VARIABLE", buffer, &all);
                ask(e, "COLOUR", buffer, &twice);
                all = sizeof buffer;
                ask(e, "QUERY_STRING", buffer, &all);
                ask(e, NULL, buffer, &all);
                ask(e, "URL", buffer, NULL);
                all = 10;
                ask(e, "URL", NULL, &all);
                all = sizeof buffer;
                e->GetServerVariable(e->ConnID, "UNICODE_REQUEST_METHOD", buffer, &all);
                char line[40];
                sprintf(line, "%u %d %d\\n", all, ((WCHAR *)buffer)[0] == 'G', ((WCHAR *)buffer)[3]);
                say(e, line);
                all = sizeof buffer;
                ask((EXTENSION_CONTROL_BLOCK *)e, "REQUEST_METHOD", buffer, &all);
                all = sizeof buffer;
                sprintf(line, "%d\\n", e->GetServerVariable(e, "REQUEST_METHOD", buffer, &all));
                say(e, line);
                return HSE_STATUS_SUCCESS;
            }
            """)
        #expect(
            loaded.answer().text == """
                0 122 4 -
                0 122 4 -
                1 0 4 GET
                0 1413 64 -
                0 1413 64 -
                1 0 4 red
                1 0 1 \("")
                0 87 1 -
                0 87 0 -
                0 87 10 -
                8 1 0
                1 0 4 GET
                1

                """)
    }

    @Test(arguments: [0, 1, 5, 49151, 49152, 49153, 200_000])
    func readClientGoesOnWherePreloadedBytesEnd(size: Int) throws {
        let loaded = try LoadedExtension.make(
            """
            DWORD WINAPI HttpExtensionProc(EXTENSION_CONTROL_BLOCK *e) {
                char buffer[10000], line[100];
                unsigned long sum = 0, count = e->cbAvailable;
                DWORD zero = 0;
                for (DWORD i = 0; i < e->cbAvailable; i++) sum = sum * 31 + e->lpbData[i];
                int terminated = e->lpbData[e->cbAvailable] == 0;
                int empty = e->ReadClient(e->ConnID, buffer, &zero);
                for (;;) {
                    DWORD got = sizeof buffer;
                    if (!e->ReadClient(e->ConnID, buffer, &got)) return HSE_STATUS_ERROR;
                    if (got == 0) break;
                    for (DWORD i = 0; i < got; i++) sum = sum * 31 + (unsigned char)buffer[i];
                    count += got;
                }
                DWORD all = 10;
                int null = e->ReadClient(e->ConnID, NULL, &all) + e->ReadClient(e->ConnID, buffer, NULL);
                sprintf(line, "%u %u %lu %lu %d %d %d", e->cbTotalBytes, e->cbAvailable, count, sum, terminated,
                        empty, null);
                head(e, NULL, "\\r\\n");
                say(e, line);
                return HSE_STATUS_SUCCESS;
            }
            """)
        let body = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        let sum = body.reduce(UInt64(0)) { $0 &* 31 &+ UInt64($1) }
        let exchange = FakeExchange(method: "POST", body: body, largestRead: 7000)
        #expect(loaded.answer(exchange).text == "\(size) \(min(size, 49152)) \(size) \(sum) 1 1 0")
    }

    @Test func serverSupportFunctionAnswersWhatItKnowsAndRefusesTheRest() throws {
        let loaded = try LoadedExtension.make(
            """
            static void ask(EXTENSION_CONTROL_BLOCK *e, DWORD code, void *buffer, DWORD *size) {
                char line[200];
                SetLastError(0);
                BOOL result = e->ServerSupportFunction(e->ConnID, code, buffer, size, NULL);
                sprintf(line, "%u %d %u\\n", code, result, GetLastError());
                say(e, line);
            }
            DWORD WINAPI HttpExtensionProc(EXTENSION_CONTROL_BLOCK *e) {
                BOOL keep = 7, connected = 7, home = 7;
                char path[260] = "/a%20b/../c?x=y", line[400], out[260] = "/../etc";
                DWORD size = sizeof path, small = 5;
                head(e, NULL, "\\r\\n");
                ask(e, HSE_REQ_IS_KEEP_CONN, &keep, NULL);
                ask(e, HSE_REQ_IS_CONNECTED, &connected, NULL);
                ask(e, HSE_REQ_IS_IN_PROCESS, &home, NULL);
                ask(e, HSE_REQ_IS_KEEP_CONN, NULL, NULL);
                ask(e, HSE_REQ_MAP_URL_TO_PATH, path, &size);
                ask(e, HSE_REQ_MAP_URL_TO_PATH, out, &small);
                strcpy(out, "/more/than/fits");
                ask(e, HSE_REQ_MAP_URL_TO_PATH, out, &small);
                ask(e, HSE_REQ_MAP_URL_TO_PATH, NULL, &small);
                ask(e, HSE_APPEND_LOG_PARAMETER, "logged", NULL);
                ask(e, HSE_APPEND_LOG_PARAMETER, NULL, NULL);
                ask(e, HSE_REQ_TRANSMIT_FILE, path, NULL);
                ask(e, HSE_REQ_SET_FLUSH_FLAG, (void *)1, NULL);
                ask(e, 0xffffffff, (void *)1, NULL);
                ask(e, HSE_REQ_SEND_RESPONSE_HEADER, "200 OK", NULL);
                ask(e, HSE_REQ_SEND_RESPONSE_HEADER_EX, NULL, NULL);
                ask(e, HSE_REQ_SEND_URL_REDIRECT_RESP, "/late", NULL);
                sprintf(line, "%d %d %d %s %u %u", keep, connected, home, path, size, small);
                say(e, line);
                e->dwHttpStatusCode = 418;
                memset(e->lpszLogData, 'z', sizeof e->lpszLogData);
                return HSE_STATUS_SUCCESS_AND_KEEP_CONN;
            }
            """)
        let answer = loaded.answer()
        #expect(
            answer.text == """
                1008 1 0
                1018 1 0
                1030 1 0
                1008 0 87
                1001 1 0
                1001 0 2
                1001 0 122
                1001 0 87
                1003 1 0
                1003 0 87
                1006 0 87
                1043 0 87
                4294967295 0 87
                3 0 1
                1016 0 87
                1 0 1
                1 1 0 /srv/www/c 11 24
                """)
        #expect(answer.log == "logged" + String(repeating: "z", count: 80))
        #expect(answer.notedStatus == 418 && answer.status == 200)
    }

    @Test func wildPointersAndLengthsAreErrors() throws {
        let loaded = try LoadedExtension.make(
            """
            DWORD WINAPI HttpExtensionProc(EXTENSION_CONTROL_BLOCK *e) {
                char small[16] = "0123456789", line[200];
                DWORD negative = (DWORD)-1, huge = 0x7fffffff, ten = 10, none = 0;
                head(e, NULL, "\\r\\n");
                int results = e->WriteClient(e->ConnID, small, &negative, 0) + e->WriteClient(e->ConnID, small, &huge, 0)
                    + e->WriteClient(e->ConnID, NULL, &ten, 0) + e->WriteClient(e->ConnID, small, NULL, 0)
                    + e->WriteClient(NULL, small, &ten, 0) + e->WriteClient((HCONN)~0ul, small, &ten, 0)
                    + e->WriteClient((HCONN)((unsigned long)e->ConnID + 1), small, &ten, 0)
                    + e->WriteClient((HCONN)((unsigned long)e->ConnID + (1 << 20)), small, &ten, 0)
                    + e->WriteClient((HCONN)((char *)e + 8), small, &ten, 0) + e->WriteClient(small, small, &ten, 0);
                sprintf(line, "%d %u %d", results, GetLastError(), e->WriteClient(e->ConnID, NULL, &none, 0));
                say(e, line);
                return HSE_STATUS_SUCCESS;
            }
            """)
        #expect(loaded.answer().text == "0 87 1")
    }

    @Test func aGoneClientIsAnErrorOfTheWrite() throws {
        let loaded = try LoadedExtension.make(
            """
            DWORD WINAPI HttpExtensionProc(EXTENSION_CONTROL_BLOCK *e) {
                BOOL connected = TRUE;
                head(e, NULL, "\\r\\n");
                say(e, "too much");
                e->ServerSupportFunction(e->ConnID, HSE_REQ_IS_CONNECTED, &connected, NULL, NULL);
                return GetLastError() == ERROR_CONNECTION_ABORTED && !connected ? HSE_STATUS_ERROR : 99;
            }
            """)
        let answer = loaded.answer(FakeExchange(mostBytes: 3))
        #expect(answer.reasons == ["the extension returned HSE_STATUS_ERROR"])
    }
}
