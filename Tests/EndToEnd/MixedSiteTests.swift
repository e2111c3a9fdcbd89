// The example everybody starts with: all five kinds of answer on one site.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing
import TestSupport

extension EndToEndTests {
    @Suite("The mixed site", .serialized, .timeLimit(.minutes(2)))
    struct MixedSiteTests {
        /// The example itself, on a port of its own.
        private func withExample(_ body: (ServerProcess) throws -> Void) throws {
            try requirePHP()
            let example = Package.folder + "/examples/mixed-site"
            let site = try SiteFolder()
            defer { site.remove() }
            try FileManager.default.removeItem(atPath: site.path + "/www")
            try FileManager.default.copyItem(atPath: example + "/www", toPath: site.path + "/www")
            let port = ServerProcess.freePort()
            let text = try String(contentsOfFile: example + "/site.yaml", encoding: .utf8)
            #expect(text.contains("127.0.0.1:8080"))
            let configuration = text.replacingOccurrences(
                of: "127.0.0.1:8080", with: "127.0.0.1:\(port)")
            let server = try ServerProcess(configuration, in: site, port: port)
            defer { server.stop() }
            try body(server)
        }

        @Test func thePageLinksToAllKindsAndTheyAnswer() throws {
            try withExample { server in
                let page = try server.get("/")
                #expect(page.status == 200)
                #expect(page.value("Content-Type")?.hasPrefix("text/html") == true)
                for link in [
                    "/hello", "/hello-swift", "/counter", "/index.php", "/cgi-bin/env",
                    "/style.css",
                ] {
                    #expect(page.text.contains("href=\"\(link)\""), "\(link)")
                    #expect(try server.get(link).status == 200, "\(link)")
                }
                #expect(
                    try server.get("/echo/and/more?a=1&b=two").text.contains(
                        "\"lpszPathInfo\": \"/and/more\""))
            }
        }

        @Test func aThreadSafeExtensionRunsInTheHost() throws {
            try withExample { server in
                #expect(try server.get("/hello").text == "Hello, world\n")
                let host = try #require(server.host)
                let echo = try server.get("/echo").text
                #expect(echo.contains("\"inProcess\": 0,"))
                #expect(echo.contains("\"pid\": \(host.pid),"))
            }
        }

        @Test func theOtherExtensionRunsInWorkers() throws {
            try withExample { server in
                let workers = Set(server.children(running: " worker ").map(\.pid))
                let pids = Locked<Set<Int32>>([])
                let load = Load(
                    .init(
                        port: server.port, target: "/counter", clients: 8, requests: 400,
                        check: { response in
                            let found = response.text.firstMatch(of: #/"pid": (\d+)/#).flatMap {
                                Int32($0.1)
                            }
                            pids.withLock { if let found { $0.insert(found) } }
                            return response.text.contains("\"overlaps\": 0") ? nil : response.text
                        }))
                let report = load.wait()
                #expect(report.answered == [200: 400])
                #expect(report.wrong.isEmpty)
                #expect(pids.current.count > 1)
                #expect(!workers.isEmpty)
            }
        }

        @Test func phpShowsAFormAndAnUpload() throws {
            try withExample { server in
                let client = try server.client()
                #expect(try client.exchange("GET", "/index.php").text.contains("<form"))
                let form = try client.exchange(
                    "POST", "/index.php",
                    fields: ["Content-Type: application/x-www-form-urlencoded"],
                    body: Array("name=%3Cb%3EAda".utf8))
                #expect(form.text.contains("&lt;b&gt;Ada"))
                #expect(!form.text.contains("<b>Ada"))
                let body =
                    "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\nhello\r\n--b--\r\n"
                let upload = try client.exchange(
                    "POST", "/index.php", fields: ["Content-Type: multipart/form-data; boundary=b"],
                    body: Array(body.utf8))
                #expect(upload.text.contains("5 bytes"))
                #expect(
                    upload.text.contains(
                        "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"))
            }
        }

        @Test func theScriptSeesItsEnvironmentAndAFileIsServedInParts() throws {
            try withExample { server in
                let text = try server.get("/cgi-bin/env?a=b").text
                #expect(text.contains("QUERY_STRING=a=b\n"))
                #expect(text.contains("GATEWAY_INTERFACE=CGI/1.1\n"))
                let part = try server.get("/", fields: ["Range: bytes=0-14"])
                #expect(part.status == 206)
                #expect(part.text == "<!DOCTYPE html>")
            }
        }

        @Test func anUploadIsReceivedWhole() throws {
            try withExample { server in
                let response = try server.client().exchange(
                    "POST", "/upload", body: Array("hello".utf8))
                #expect(response.text.contains("\"size\": 5"))
                #expect(
                    response.text.contains(
                        "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"))
            }
        }

        /// What a browser sends: many fields, several connections, a page and what belongs to it.
        @Test func aBrowserIsServed() throws {
            try withExample { server in
                let fields = [
                    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
                    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
                    "Accept-Language: en-US,en;q=0.5", "Accept-Encoding: gzip, deflate, br, zstd",
                    "DNT: 1",
                    "Connection: keep-alive", "Upgrade-Insecure-Requests: 1",
                    "Sec-Fetch-Dest: document",
                    "Priority: u=0, i", "Cookie: a=b; c=d",
                ]
                let first = try server.client()
                let second = try server.client()
                #expect(try first.exchange("GET", "/", fields: fields).status == 200)
                #expect(
                    try second.exchange("GET", "/style.css", fields: fields).value("Content-Type")?
                        .hasPrefix("text/css") == true)
                for target in ["/hello", "/counter", "/index.php", "/cgi-bin/env"] {
                    #expect(try first.exchange("GET", target, fields: fields).status == 200)
                    #expect(try second.exchange("GET", target, fields: fields).status == 200)
                }
            }
        }
    }
}
