// Real PHP in a managed pool.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
import Testing
import TestSupport

private let files = [
    "www/index.php": "<?php echo 'index';",
    "www/form.php": """
    <?php
    header('Content-Type: text/plain');
    echo json_encode(['get' => $_GET, 'post' => $_POST, 'files' => array_map(
        fn($f) => [$f['name'], $f['size'], $f['error'], hash_file('sha256', $f['tmp_name'])], $_FILES)]);
    """,
    "www/input.php":
        "<?php echo strlen(file_get_contents('php://input')), ' ', md5(file_get_contents('php://input'));",
    "www/pid.php": "<?php usleep((int)($_GET['wait'] ?? 0)); echo getmypid();",
    "www/status.php":
        "<?php http_response_code(404); header('X-A: 1'); setcookie('a', '1'); setcookie('b', '2');",
    "www/redirect.php": "<?php header('Location: /pid.php', true, 303);",
    "www/notice.php": "<?php error_log(\"a word for the log\\r\\nforged\"); echo 'fine';",
    "www/slow.php": "<?php sleep(30); echo 'late';",
    "www/large.php": "<?php for ($i = 0; $i < 3000; $i++) echo str_repeat('0123456789', 100);",
    "www/stream.php":
        "<?php header('Content-Type: text/plain'); echo 'a'; flush(); usleep(200000); echo 'b';",
]

private let site = """
    pools:
      php:
        command: [php-cgi, -d, error_log=, -d, log_errors=1]
        processes: { min: 1, max: 3 }
        request-timeout: 3
    sites:
      - name: main
        root: www
        handlers: [{ path: "*.php", pool: php }]
    """

/// A site with two processes of php-cgi; `settings` is more of their pool's.
private func twoProcesses(_ settings: String = "") -> String {
    """
    pools:
      php:
        command: [php-cgi]
        processes: 2
        \(settings)
    sites: [{ name: main, root: www, handlers: [{ path: "*.php", pool: php }] }]
    """
}

extension EndToEndTests {
    @Suite("PHP", .serialized, .server(site, files: files), .timeLimit(.minutes(3)))
    struct PHPTests {
        init() throws { try requirePHP() }

        private func get(_ target: String) throws -> HTTPResponse {
            try SharedServer.current.get(target)
        }

        @Test func anIndexInPHPAnswersForItsFolder() throws {
            #expect(try get("/").text == "index")
        }

        @Test func aFormArrives() throws {
            let client = try SharedServer.current.client()
            let response = try client.exchange(
                "POST", "/form.php?q=1",
                fields: ["Content-Type: application/x-www-form-urlencoded"],
                body: Array("name=Ada+L&x=%C3%A9".utf8))
            #expect(
                response.text
                    == #"{"get":{"q":"1"},"post":{"name":"Ada L","x":"\u00e9"},"files":[]}"#)
        }

        @Test func anUploadArrives() throws {
            let client = try SharedServer.current.client()
            let file = [UInt8](repeating: 0x61, count: 200_000)
            let body =
                Array(
                    "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.txt\"\r\n\r\n"
                        .utf8)
                + file + Array("\r\n--b--\r\n".utf8)
            let response = try client.exchange(
                "POST", "/form.php", fields: ["Content-Type: multipart/form-data; boundary=b"],
                body: body)
            // The digest of 200,000 letters "a".
            #expect(response.text.contains("\"f\":[\"a.txt\",200000,0,\""))
            #expect(response.text.contains(digestOf200000LettersA))
        }

        private let digestOf200000LettersA =
            "2287d207f24a941ff3b56c04c8a25ad56b63e3023207b3bb5b4ac0c9869d74be"

        @Test func aChunkedBodyArrivesWithItsLength() throws {
            let client = try SharedServer.current.client()
            try client.send(
                "POST /input.php HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
                    + "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n")
            #expect(try client.response().text == "11 5eb63bbbe01eeed093cb22bb8f5acdc3")
        }

        @Test(arguments: [0, 1, 65_535, 65_536, 200_000, 5 << 20])
        func aBodyOfAnySizeArrivesWhole(_ count: Int) throws {
            let body = [UInt8](repeating: 0x62, count: count)
            let client = try SharedServer.current.client()
            let response = try client.exchange(
                "POST", "/input.php", fields: ["Content-Type: application/octet-stream"], body: body
            )
            #expect(response.text.hasPrefix("\(count) "))
        }

        @Test func statusAndFieldsOfPHPReachTheClient() throws {
            let response = try get("/status.php")
            #expect(response.status == 404)
            #expect(response.value("X-A") == "1")
            #expect(response.values("Set-Cookie").count == 2)
            #expect(response.value("Status") == nil)
            let redirect = try get("/redirect.php")
            #expect(redirect.status == 303)
            #expect(redirect.value("Location") == "/pid.php")
        }

        @Test func headGetsTheFieldsAndNoBody() throws {
            let client = try SharedServer.current.client()
            #expect(try client.exchange("HEAD", "/large.php").status == 200)
            #expect(try client.exchange("GET", "/pid.php").status == 200)
        }

        @Test func aLongResponseArrivesWhole() throws {
            #expect(try get("/large.php").body.count == 3_000_000)
        }

        @Test func aFlushReachesTheClientBeforeTheEnd() throws {
            let client = try SharedServer.current.client()
            try client.send("GET /stream.php HTTP/1.1\r\nHost: localhost\r\n\r\n")
            #expect(try client.response().text == "ab")
        }

        @Test func wordsForTheLogCarryThePoolsNameAndForgeNothing() throws {
            let server = try SharedServer.current
            #expect(try get("/notice.php").text == "fine")
            #expect(eventually { server.errors.contains("a word for the log") })
            let line = server.errors.split(separator: "\n").first {
                $0.contains("a word for the log")
            }
            #expect(line?.contains("php") == true)
            #expect(!server.errors.contains("\nforged"))
        }

        @Test func requestsSpreadOverTheProcessesOfThePool() throws {
            let server = try SharedServer.current
            let pids = Locked<Set<String>>([])
            let load = Load(
                .init(
                    port: server.port, target: "/pid.php?wait=20000", clients: 6, requests: 120,
                    check: { response in
                        pids.withLock { _ = $0.insert(response.text) }
                        return nil
                    }))
            #expect(load.wait().answered == [200: 120])
            #expect(pids.current.count == 3)
        }

        @Test func aRequestThatOverstaysItsTimeIsAnswered504AndTheNextOneWorks() throws {
            #expect(try get("/slow.php").status == 504)
            #expect(try get("/pid.php").status == 200)
        }

        /// php-cgi closes a connection that stays silent for five seconds after it was accepted.
        @Test func aProcessThatClosedItsSilentConnectionAnswersAndIsKept() throws {
            // Nothing asks PHP while the server starts.
            let files = files.merging(["www/index.html": "index"]) { $1 }
            try withServer(twoProcesses(), files: files) { server in
                let started = eventually { server.children(running: "php-cgi").count == 2 }
                #expect(started)
                let before = Set(server.children(running: "php-cgi").map(\.pid))
                sleep(6)
                for _ in 0..<10 {
                    let status = try server.get("/pid.php").status
                    #expect(status == 200)
                }
                #expect(Set(server.children(running: "php-cgi").map(\.pid)) == before)
                #expect(!server.errors.contains("pool php"), "\(server.errors)")
            }
        }

        @Test func aLimitOfPHPsOwnLosesNoPost() throws {
            let limit = "environment: { PHP_FCGI_MAX_REQUESTS: \"7\" }"
            try withServer(twoProcesses(limit), files: files) { server in
                let pids = Locked<[String: Int]>([:])
                let group = DispatchGroup()
                for _ in 0..<4 {
                    group.enter()
                    Thread {
                        for _ in 0..<100 {
                            let answer = try? server.client().exchange(
                                "POST", "/pid.php", body: Array("a=b".utf8))
                            let key = answer?.status == 200 ? answer!.text : "lost"
                            pids.withLock { $0[key, default: 0] += 1 }
                        }
                        group.leave()
                    }.start()
                }
                group.wait()
                #expect(pids.current["lost"] == nil, "\(server.errors)")
                #expect(pids.current.values.allSatisfy { $0 <= 7 })
                #expect(!server.errors.contains("pool php"), "\(server.errors)")
            }
        }

        @Test func aKilledProcessIsReplaced() throws {
            let server = try SharedServer.current
            for process in server.children(running: "php-cgi") { process.kill(SIGKILL) }
            let works = try eventually { try get("/pid.php").status == 200 }
            #expect(works)
        }
    }
}
