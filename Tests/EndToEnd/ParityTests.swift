// Every shipped extension gives the same bytes in both homes.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing
import TestSupport

/// One request of the parity suite: bytes as a client sends them.
private struct Probe {
    var name: String
    var bytes: [UInt8]
    var headOnly = false

    init(
        _ name: String, _ target: String, method: String = "GET", version: String = "1.1",
        fields: [String] = [],
        body: [UInt8]? = nil
    ) {
        self.name = name
        var head = "\(method) \(target) HTTP/\(version)\r\nHost: parity.test\r\n"
        for field in fields { head += field + "\r\n" }
        if let body { head += "Content-Length: \(body.count)\r\n" }
        bytes = Array((head + "\r\n").utf8) + (body ?? [])
        headOnly = method == "HEAD"
    }

    static func chunked(_ name: String, _ target: String, _ sizes: [Int]) -> Probe {
        var probe = Probe(name, target, method: "POST", fields: ["Transfer-Encoding: chunked"])
        for size in sizes {
            probe.bytes +=
                Array("\(String(size, radix: 16))\r\n".utf8) + pattern(size) + Array("\r\n".utf8)
        }
        probe.bytes += Array("0\r\nX-Trailer: dropped\r\n\r\n".utf8)
        return probe
    }

    static func pattern(_ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 13) }
    }

    static func all(_ path: String) -> [Probe] {
        var probes = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"].map {
            Probe("method \($0)", path, method: $0, body: $0 == "GET" || $0 == "HEAD" ? nil : [])
        }
        probes += [0, 1, 2, 16_383, 49_151, 49_152, 49_153, 65_535, 65_536, 65_537, 10 << 20].map {
            Probe(
                "body of \($0)", path, method: "POST",
                fields: ["Content-Type: application/octet-stream"], body: pattern($0))
        }
        probes += [
            .chunked("no chunk", path, []), .chunked("small chunks", path, [1, 2, 3]),
            .chunked("one large chunk", path, [200_000]),
            .chunked("at the preload", path, [49_151, 1, 1]),
        ]
        probes += [
            "?", "?a=b", "?a=b%20c&d=%C3%A9&&=", "?%00%0d%0a", "?a?b",
            "?" + String(repeating: "q", count: 4000),
        ]
        .map { Probe("query \($0.prefix(20))", path + $0) }
        probes += [
            "/", "/more", "/more/of%20it", "/%C3%A9", "//x///y", "/a/./b/../c", "/%2e%2e/x",
            "/a;b=c", "/x.php/y",
        ]
        .map { Probe("path info \($0)", path + $0) }
        probes += [
            Probe("HTTP/1.0", path, version: "1.0"),
            Probe("HTTP/1.0 kept", path, version: "1.0", fields: ["Connection: keep-alive"]),
            Probe("close", path, fields: ["Connection: close"]),
            Probe("absolute form", "http://other.test:81\(path)?x"),
            Probe(
                "odd fields", path,
                fields: [
                    "X-Empty:", "X-Blank:    ", "X-Tabs:\t a \t b\t", "x-lower: 1", "X-Twice: a",
                    "X-Twice: b",
                    "Cookie: a=1", "Cookie: b=2", "Accept: */*",
                    "User-Agent: parity/1 (odd; \"quoted\")", "Referer: http://a/",
                    "X_Underscore: dropped?", "X.Dot: dropped?", "Proxy: http://evil.test",
                    "Content-Type: text/x",
                    "Authorization: Basic dXNlcjpwYXNz",
                    "X-Long: " + String(repeating: "l", count: 8000),
                ]),
            Probe("many fields", path, fields: (0..<150).map { "X-Field-\($0): value \($0)" }),
        ]
        var latin = Probe("bytes above 0x7f", path, fields: ["X-Latin: ?"])
        latin.bytes = latin.bytes.map { $0 == 0x3f ? 0xe9 : $0 }
        return probes + [latin]
    }
}

/// What a client saw, without what tells the home or the connection.
private struct Answer: Equatable {
    var status: Int
    var reason: String
    var fields: [String]
    var isChunked: Bool
    var body: String

    init(_ response: HTTPResponse) {
        status = response.status
        reason = response.reason
        // The length is checked by reading the body; a pid of another length changes it.
        fields = response.fieldSet(without: ["date", "content-length"])
        isChunked = response.isChunked
        var text = String(decoding: response.body, as: UTF8.self)
        for (pattern, replacement) in [
            (#""pid": \d+"#, "\"pid\": 0"), (#""inProcess": \d+"#, "\"inProcess\": 0"),
            (#""REMOTE_PORT": "\d+""#, "\"REMOTE_PORT\": \"0\""),
            (#",\n    "APP_POOL_(ID|CONFIG)": "[^"]*""#, ""),
        ] {
            text = text.replacingOccurrences(
                of: pattern, with: replacement, options: .regularExpression)
        }
        body = text
    }
}

private let names = ["hello", "hello-swift", "echo", "counter", "upload"]

private func site(threadSafe: Bool) -> String {
    var text = "extensions:\n"
    for name in names {
        text +=
            "  \(name):\n    library: \(name)\n    thread-safe: \(threadSafe)\n    pool: { processes: 1 }\n"
        text += "    settings: { GREETING: \"a setting\" }\n"
    }
    text += "sites:\n  - name: main\n    root: www\n    handlers:\n"
    for name in names { text += "      - { path: /\(name), extension: \(name) }\n" }
    return text
}

extension EndToEndTests {
    @Suite("Parity of the homes", .serialized, .timeLimit(.minutes(10)))
    struct ParityTests {
        @Test func everyShippedExtensionAnswersTheSameInBothHomes() throws {
            let folder = try SiteFolder()
            defer { folder.remove() }
            let port = ServerProcess.freePort()
            let inside = try answers(site(threadSafe: true), in: folder, port: port)
            let outside = try answers(site(threadSafe: false), in: folder, port: port)
            for (name, expected) in inside {
                let found = try #require(outside[name])
                #expect(found.status == expected.status, "\(name)")
                #expect(found.reason == expected.reason, "\(name)")
                #expect(found.fields == expected.fields, "\(name)")
                #expect(found.isChunked == expected.isChunked, "\(name)")
                #expect(found.body == expected.body, "\(name)")
            }
            #expect(inside.count == outside.count)
            #expect(inside.values.filter { $0.status == 200 }.count > names.count * 40)
        }

        private func answers(_ configuration: String, in folder: SiteFolder, port: UInt16) throws
            -> [String: Answer]
        {
            let server = try ServerProcess(configuration, in: folder, port: port)
            defer { server.stop() }
            var answers: [String: Answer] = [:]
            for name in names {
                for probe in Probe.all("/\(name)") {
                    let client = try server.client()
                    try client.sendIgnoringClose(probe.bytes)
                    let response = try client.response(headOnly: probe.headOnly)
                    answers["\(name), \(probe.name)"] = Answer(response)
                }
            }
            return answers
        }
    }
}
