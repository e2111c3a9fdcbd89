// The many ways in which extensions say a head, and what comes of each.
// SPDX-License-Identifier: Apache-2.0

import ExtensionHost
import TestExtensions
import Testing

/// Steps of a script for one extension, one letter and its text each.
struct Script: Sendable, CustomTestStringConvertible {
    var steps: String
    var status = 200
    var block = ""
    var body = ""
    var failures: [Int] = []
    var testDescription: String { steps.debugDescription }
}

struct ResponseTests {
    /// Runs the script in the request's body: "S" status, "H" header lines (used by "3" and "X"), "W" write,
    /// "1" write byte by byte, "R" redirect, "Q" return. Steps end with NUL.
    private static let interpreter = """
        DWORD WINAPI HttpExtensionProc(EXTENSION_CONTROL_BLOCK *e) {
            char *step = (char *)e->lpbData, *end = step + e->cbAvailable, *status = NULL, *lines = NULL;
            for (; step < end; step += strlen(step) + 1) {
                char *text = step + 1;
                HSE_SEND_HEADER_EX_INFO info = {status, lines, status ? strlen(status) + 1 : 0,
                                                lines ? strlen(lines) + 1 : 0, TRUE};
                switch (*step) {
                case 'S': status = text; break;
                case 'H': lines = text; break;
                case '3': head(e, status, lines); break;
                case 'X': e->ServerSupportFunction(e->ConnID, HSE_REQ_SEND_RESPONSE_HEADER_EX, &info, NULL, NULL); break;
                case 'W': say(e, text); break;
                case '1': for (; *text; text++) { char one[2] = {*text, 0}; say(e, one); } break;
                case 'R': e->ServerSupportFunction(e->ConnID, HSE_REQ_SEND_URL_REDIRECT_RESP, text, NULL, NULL); break;
                case 'Q': return atoi(text);
                }
            }
            return HSE_STATUS_SUCCESS;
        }
        """

    private static let html = "Content-Type: text/html\r\n"
    private static let plain = "Content-Type: text/plain\r\n"

    static let scripts: [Script] = [
        // Header calls.
        Script(
            steps: "S404 Not Found|H\(plain)\r\n|3|Wbody", status: 404, block: plain, body: "body"),
        Script(
            steps: "S200OK|HX : 1\n\nrest|3|W and more", block: "X: 1\r\n", body: "rest and more"),
        Script(steps: "S 201 Created\r|X", status: 201),
        Script(steps: "S200|HStatus: 403 No\r\n\r\n|X", status: 403),
        Script(steps: "3|Wx", body: "x"),
        // The blank line comes later, or never.
        Script(steps: "H\(plain)|3|W\r\n|Wbody", block: plain, body: "body"),
        Script(steps: "H\(plain)|3|WX: 1\r\n\r\nbody", block: plain + "X: 1\r\n", body: "body"),
        Script(steps: "H\(plain)|3|W<html>", block: plain, body: "<html>"),
        Script(steps: "H\(plain)|3", block: plain),
        Script(steps: "HContent-Type: text/plain|3|1\r\n\r\nbody", block: plain, body: "body"),
        // No header call at all.
        Script(steps: "W<html>hello", block: html, body: "<html>hello"),
        Script(
            steps: "1Hello, world: this is text", block: html, body: "Hello, world: this is text"),
        Script(steps: "1\(plain)\r\nbody", block: plain, body: "body"),
        Script(
            steps: "1HTTP/1.1 404 Gone\r\nX: 1\r\n\r\nbody", status: 404, block: "X: 1\r\n",
            body: "body"),
        Script(steps: "WHTTP/1.0 200 OK\n\(plain)\nbody|W more", block: plain, body: "body more"),
        Script(
            steps: "WNote: no blank line follows", block: html, body: "Note: no blank line follows"),
        Script(
            steps: "WNote: one\nnot a field\n\nx", block: html, body: "Note: one\nnot a field\n\nx"),
        Script(steps: "WHTTP", block: html, body: "HTTP"),
        // The extension's own chunks are taken off.
        Script(
            steps:
                "HTransfer-Encoding: chunked\r\n\r\n|3|W5\r\nhello\r\n|16\r\n world\r\n0\r\n\r\n",
            body: "hello world"),
        Script(
            steps: "HTransfer-Encoding: chunked\r\n\r\n|3|W5\r\nhello\r\n", body: "hello",
            failures: [500]),
        Script(steps: "HTransfer-Encoding: chunked\r\n\r\n|3|Wnot hex", failures: [500]),
        // Redirect.
        Script(steps: "R/elsewhere", status: 302, block: "Location: /elsewhere\r\n"),
        // Faults.
        Script(steps: "", status: 0, failures: [500]),
        Script(steps: "Q4", status: 0, failures: [500]),
        Script(steps: "Q77", status: 0, failures: [500]),
        Script(steps: "Q0", status: 0, failures: [500]),
        Script(steps: "3|Wpart|Q4", body: "part", failures: [500]),
        Script(steps: "S99 Nothing|3", status: 0, failures: [500]),
        Script(steps: "HX: a\u{1}b\r\n\r\n|3", status: 0, failures: [500]),
        Script(steps: "WHTTP/1.1 9 x\r\n\r\n", status: 0, failures: [500]),
        Script(steps: "R/a\nX: 1", status: 0, failures: [500]),
    ]

    private static let loaded = Result { try LoadedExtension.make(interpreter) }

    @Test(arguments: scripts)
    func theHeadIsWhatWasMeant(script: Script) throws {
        var steps: [UInt8] = []
        for step in script.steps.split(separator: "|") { steps += Array(step.utf8) + [0] }
        let answer = try Self.loaded.get().answer(
            FakeExchange(
                method: "POST", fields: "X-Script: 1\r\n", body: steps.isEmpty ? [0] : steps))
        #expect(answer.status == script.status)
        #expect(answer.block == script.block)
        #expect(answer.text == script.body)
        #expect(answer.failures == script.failures)
        #expect(answer.heads == (script.status == 0 ? 0 : 1))
    }

    @Test func closingIsTheExtensionsWishOnlyWhenItSaysSo() throws {
        let loaded = try LoadedExtension.make(
            """
            DWORD WINAPI HttpExtensionProc(EXTENSION_CONTROL_BLOCK *e) {
                HSE_SEND_HEADER_EX_INFO info = {"200 OK", "Content-Length: 2\\r\\n\\r\\nok", 6, 23, FALSE};
                info.fKeepConn = e->lpszQueryString[0] == 'k';
                e->ServerSupportFunction(e->ConnID, HSE_REQ_SEND_RESPONSE_HEADER_EX, &info, NULL, NULL);
                return HSE_STATUS_SUCCESS;
            }
            """)
        #expect(loaded.answer(FakeExchange("/x?k")).closes == false)
        let closing = loaded.answer(FakeExchange("/x?c"))
        #expect(closing.closes && closing.contentLength == 2 && closing.text == "ok")
    }
}
