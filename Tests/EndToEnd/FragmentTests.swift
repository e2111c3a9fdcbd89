// How a request is cut into packets changes nothing.
// SPDX-License-Identifier: Apache-2.0

import Glibc
import Testing
import TestSupport

extension EndToEndTests {
    @Suite(
        "Requests in pieces", .serialized, .server(plainSite, files: plainFiles),
        .timeLimit(.minutes(5)))
    struct FragmentTests {
        static let requests = [
            "GET /file.txt?a=b HTTP/1.1\r\nHost: localhost\r\nX-Odd:  \t value \t\r\n\r\n",
            "POST /hello HTTP/1.1\r\nHost: localhost\r\nContent-Length: 11\r\n\r\nhello world",
            "POST /hello HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
                + "5;a=\"b\"\r\nhello\r\n6\r\n world\r\n0\r\nX-T: 1\r\n\r\n",
        ]

        private func fingerprint(_ response: HTTPResponse) -> [String] {
            ["\(response.status)"] + response.fieldSet(without: ["date"]) + [response.text]
        }

        @Test(arguments: requests)
        func everySplitInTwoGivesTheSameAnswer(_ request: String) throws {
            let bytes = Array(request.utf8)
            let client = try SharedServer.current.client()
            try client.send(bytes)
            let whole = fingerprint(try client.response())
            for point in 1..<bytes.count {
                try client.send(Array(bytes[..<point]))
                usleep(1000)
                try client.send(Array(bytes[point...]))
                #expect(fingerprint(try client.response()) == whole, "split at \(point)")
            }
        }

        @Test(arguments: requests)
        func byteByByteGivesTheSameAnswer(_ request: String) throws {
            let bytes = Array(request.utf8)
            let client = try SharedServer.current.client()
            try client.send(bytes)
            let whole = fingerprint(try client.response())
            for byte in bytes {
                try client.send([byte])
                usleep(200)
            }
            #expect(fingerprint(try client.response()) == whole)
        }

        @Test(arguments: requests)
        func aRequestThatStopsAnywhereIsNeverAnswered200(_ request: String) throws {
            let bytes = Array(request.utf8)
            let server = try SharedServer.current
            for end in 0..<bytes.count {
                let client = try server.client()
                try client.send(Array(bytes[..<end]))
                client.endSending()
                let answer = String(decoding: try client.everything(), as: UTF8.self)
                #expect(!answer.hasPrefix("HTTP/1.1 200"), "ended at \(end)")
            }
            #expect(try server.get("/hello").status == 200)
        }

        @Test func aResponseReadSlowlyArrivesWhole() throws {
            let server = try SharedServer.current
            // More than sockets hold, so that the server has to wait for the reader.
            let large = [UInt8]((0..<24_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) })
            try server.site.write("www/large.bin", large)
            let client = try server.client()
            try client.send(
                "GET /large.bin HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            usleep(500_000)
            let response = try client.response()
            #expect(response.body == large)
        }
    }
}
