// CGI scripts as RFC 3875 has them, and none of them outlives its request.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
import Testing
import TestSupport

private let files = plainFiles.merging([
    "www/cgi-bin/status":
        "#!/bin/sh\nprintf 'Status: 418 Short and stout\\r\\nContent-Type: text/plain\\r\\n\\r\\ntea'\n",
    "www/cgi-bin/local": "#!/bin/sh\nprintf 'Location: /file.txt?x\\r\\n\\r\\n'\n",
    "www/cgi-bin/loop": "#!/bin/sh\nprintf 'Location: /cgi-bin/loop\\r\\n\\r\\n'\n",
    "www/cgi-bin/away": "#!/bin/sh\nprintf 'Location: https://example.test/x\\r\\n\\r\\n'\n",
    "www/cgi-bin/nph-raw":
        "#!/bin/sh\nprintf 'HTTP/1.1 203 Own words\\r\\nX-Own: yes\\r\\nContent-Length: 3\\r\\n\\r\\nraw'\n",
    "www/cgi-bin/silent": "#!/bin/sh\nexit 0\n",
    "www/cgi-bin/late":
        "#!/bin/sh\nsleep 0.7\nprintf 'Content-Type: text/plain\\r\\n\\r\\nlate'\n",
    "www/cgi-bin/noisy": "#!/bin/sh\nwhile :; do echo noise >&2; done\n",
    "www/cgi-bin/text": "#!/bin/sh\necho 'just text'\n",
    "www/cgi-bin/line-feeds": "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\nfine'\n",
    "www/cgi-bin/slow": "#!/bin/sh\nsleep 600 &\necho $! > pid-of-sleep\nwait\n",
    "www/cgi-bin/leaves-child":
        "#!/bin/sh\nsleep 600 &\nprintf 'Content-Type: text/plain\\r\\n\\r\\n%s' $!\n",
    "www/cgi-bin/leaves-voice": """
    #!/bin/sh
    setsid sh -c 'while :; do echo voice >&2; sleep 0.02; done' > /dev/null &
    printf 'Content-Type: text/plain\\r\\n\\r\\ngone'

    """,
    "www/cgi-bin/ignores-input":
        "#!/bin/sh\nprintf 'Content-Type: text/plain\\r\\n\\r\\nignored'\n",
    "www/cgi-bin/large-output":
        "#!/bin/sh\nprintf 'Content-Type: text/plain\\r\\n\\r\\n'\nhead -c 3000000 /dev/zero\n",
    "www/cgi-bin/errors":
        "#!/bin/sh\nprintf 'words on standard error\\r\\033[31m\\n' >&2\nprintf 'Content-Type: text/plain\\r\\n\\r\\nfine'\n",
    "www/cgi-bin/killed": "#!/bin/sh\nkill -KILL $$\n",
    "www/cgi-bin/killed-late":
        "#!/bin/sh\nprintf 'Content-Type: text/plain\\r\\n\\r\\nhalf'\nsleep 0.3\nkill -KILL $$\n",
    "www/cgi-bin/no-interpreter": "#!/nonexistent/interpreter\n",
    "www/cgi-bin/folder": "#!/bin/sh\nprintf 'Content-Type: text/plain\\r\\n\\r\\n%s' \"$PWD\"\n",
]) { $1 }

private let site = """
    sites:
      - name: main
        root: www
        handlers:
          - { path: /cgi-bin/*, cgi: { timeout: 2 } }
    """

extension EndToEndTests {
    @Suite("CGI", .serialized, .server(site, files: files), .timeLimit(.minutes(2)))
    struct CGITests {
        private func get(_ name: String) throws -> HTTPResponse {
            try SharedServer.current.get("/cgi-bin/" + name)
        }

        @Test func aClientThatHasSentAllItWantsGetsItsAnswer() throws {
            let client = try SharedServer.current.client()
            try client.send("GET /cgi-bin/late HTTP/1.1\r\nHost: localhost\r\n\r\n")
            shutdown(client.descriptor, Int32(SHUT_WR))
            let response = try client.response()
            #expect(response.status == 200 && response.text == "late")
        }

        @Test func aScriptThatWritesErrorsWithoutEndIsAnswered504() throws {
            #expect(try get("noisy").status == 504)
            #expect(try SharedServer.current.errors.utf8.count < 1 << 20)
        }

        @Test func aScriptChoosesItsStatus() throws {
            let response = try get("status")
            #expect(response.status == 418)
            #expect(response.text == "tea")
            #expect(response.value("Status") == nil)
        }

        @Test func aLocalRedirectIsAnsweredByTheServer() throws {
            let response = try get("local")
            #expect(response.status == 200)
            #expect(response.text == "0123456789\n")
        }

        @Test func localRedirectsInACircleEnd() throws {
            #expect(try get("loop").status == 502)
        }

        @Test func aRedirectElsewhereIsForTheClient() throws {
            let response = try get("away")
            #expect(response.status == 302)
            #expect(response.value("Location") == "https://example.test/x")
        }

        @Test func aNonParsedHeaderScriptSpeaksForItself() throws {
            let response = try get("nph-raw")
            #expect(response.status == 203)
            #expect(response.value("X-Own") == "yes")
            #expect(response.text == "raw")
        }

        @Test(arguments: ["silent", "text", "killed"])
        func aScriptWithoutAHeadIsABadGateway(_ name: String) throws {
            #expect(try get(name).status == 502)
        }

        @Test func aScriptThatCannotRunIsTheServersFault() throws {
            #expect(try get("no-interpreter").status == 500)
        }

        @Test func lineFeedsAloneEndTheLinesOfAScriptsHead() throws {
            #expect(try get("line-feeds").text == "fine")
        }

        @Test func aMissingScriptIsNotFound() throws { #expect(try get("nothing").status == 404) }

        @Test func theDeadlineEndsTheWholeProcessGroup() throws {
            let server = try SharedServer.current
            #expect(try get("slow").status == 504)
            expectNoSleep(of: server)
        }

        @Test func whatAScriptLeavesBehindEndsWithTheRequest() throws {
            let server = try SharedServer.current
            let response = try get("leaves-child")
            #expect(response.status == 200)
            let pid = try #require(Int32(response.text))
            #expect(
                eventually { ProcessTree.entry(pid).map { $0.state == "Z" } ?? true })
            expectNoSleep(of: server)
        }

        @Test func aClientThatLeavesEndsItsScript() throws {
            let server = try SharedServer.current
            let client = try server.client()
            try client.send("GET /cgi-bin/slow HTTP/1.1\r\nHost: localhost\r\n\r\n")
            #expect(eventually { !server.children(running: "sleep 600").isEmpty })
            client.reset()
            expectNoSleep(of: server)
        }

        private func expectNoSleep(of server: ServerProcess) {
            #expect(eventually { server.children(running: "sleep 600").isEmpty })
        }

        @Test func aBodyNobodyReadsHarmsNobody() throws {
            let body = [UInt8](repeating: 7, count: 10 << 20)
            let response = try SharedServer.current.client().exchange(
                "POST", "/cgi-bin/ignores-input", body: body)
            #expect(response.text == "ignored")
        }

        @Test(arguments: [0, 1, 65_535, 65_536, 65_537, 10 << 20])
        func aBodyArrivesWhole(_ count: Int) throws {
            let body = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 131 >> 2) }
            let client = try SharedServer.current.client()
            #expect(try client.exchange("POST", "/cgi-bin/cat", body: body).body == body)
            #expect(try client.exchange("GET", "/file.txt").status == 200)
        }

        @Test func aLongResponseArrivesWhole() throws {
            #expect(try get("large-output").body.count == 3_000_000)
        }

        @Test func aScriptKilledInItsBodyIsSeenAsCut() throws {
            let client = try SharedServer.current.client()
            try client.send("GET /cgi-bin/killed-late HTTP/1.1\r\nHost: localhost\r\n\r\n")
            #expect(throws: ClientError.truncated) { try client.response() }
        }

        @Test func wordsOnStandardErrorAreOneCleanLogLine() throws {
            let server = try SharedServer.current
            #expect(try get("errors").text == "fine")
            #expect(
                eventually {
                    server.errors.contains(
                        " [handler cgi] [script \(server.site.path)/www/cgi-bin/errors]: words on standard error"
                    )
                }, "\(server.errors)")
            #expect(!server.errors.contains("\u{1b}"))
        }

        /// What it says once its request is over is lost: nobody has asked it.
        @Test func wordsOfWhatAScriptHasLeftBehindAreNotTheNextScripts() throws {
            let server = try SharedServer.current
            for _ in 0..<3 {
                #expect(try get("leaves-voice").text == "gone")
                #expect(try get("late").text == "late")
            }
            #expect(!server.errors.contains("/www/cgi-bin/late]: voice"), "\(server.errors)")
        }

        @Test func aScriptRunsInItsOwnFolder() throws {
            let text = try get("folder").text
            #expect(text == (try SharedServer.current).site.path + "/www/cgi-bin")
        }
    }
}
