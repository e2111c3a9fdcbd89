// Files over HTTP: types, validators, ranges.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing
import TestSupport

extension EndToEndTests {
    @Suite(
        "Static files", .serialized, .server(plainSite, files: plainFiles), .timeLimit(.minutes(2)))
    struct StaticFileTests {
        private func get(_ target: String, _ fields: String...) throws -> HTTPResponse {
            try SharedServer.current.get(target, fields: fields)
        }

        @Test func aFileHasTypeLengthAndValidators() throws {
            let response = try get("/file.txt")
            #expect(response.status == 200)
            #expect(response.text == "0123456789\n")
            #expect(response.value("Content-Type")?.hasPrefix("text/plain") == true)
            #expect(response.value("Content-Length") == "11")
            #expect(response.value("ETag") != nil)
            #expect(response.value("Last-Modified") != nil)
            #expect(response.value("Date") != nil)
            #expect(response.value("Accept-Ranges") == "bytes")
        }

        @Test func headIsTheSameWithoutABody() throws {
            let client = try SharedServer.current.client()
            let head = try client.exchange("HEAD", "/file.txt")
            let get = try client.exchange("GET", "/file.txt")
            #expect(head.fieldSet(without: ["date"]) == get.fieldSet(without: ["date"]))
            #expect(head.body.isEmpty)
        }

        @Test(arguments: [
            ("bytes=0-3", "0123", "bytes 0-3/11"), ("bytes=4-", "456789\n", "bytes 4-10/11"),
            ("bytes=-3", "89\n", "bytes 8-10/11"), ("bytes=9-100", "9\n", "bytes 9-10/11"),
        ])
        func aRangeIsAPartOfTheFile(_ range: String, _ body: String, _ position: String) throws {
            let response = try get("/file.txt", "Range: \(range)")
            #expect(response.status == 206)
            #expect(response.text == body)
            #expect(response.value("Content-Range") == position)
        }

        @Test func severalRangesAreParts() throws {
            let response = try get("/file.txt", "Range: bytes=0-1,5-6")
            #expect(response.status == 206)
            #expect(
                response.value("Content-Type")?.hasPrefix("multipart/byteranges; boundary=") == true
            )
            #expect(response.text.contains("Content-Range: bytes 0-1/11\r\n"))
            #expect(response.text.contains("\r\n\r\n56\r\n"))
        }

        @Test func aRangeOutsideTheFileIsRefused() throws {
            let response = try get("/file.txt", "Range: bytes=11-")
            #expect(response.status == 416)
            #expect(response.value("Content-Range") == "bytes */11")
        }

        @Test(arguments: [
            "bytes=0-18446744073709551615", "bytes=18446744073709551615-",
            "bytes=-18446744073709551616", "bytes=3-1",
            "bytes=--1", "bytes=a-b", "lines=0-1", "bytes=", "bytes=-0",
        ])
        func strangeRangesDoNoHarm(_ range: String) throws {
            #expect([200, 206, 416].contains(try get("/file.txt", "Range: \(range)").status))
        }

        @Test func aThousandOverlappingRangesAreNotAThousandCopies() throws {
            let response = try get(
                "/file.txt",
                "Range: bytes=" + Array(repeating: "0-", count: 1000).joined(separator: ","))
            #expect([200, 416, 400].contains(response.status) || response.body.count < 2000)
        }

        @Test func conditionsAreHonoured() throws {
            let first = try get("/file.txt")
            let tag = try #require(first.value("ETag"))
            let modified = try #require(first.value("Last-Modified"))
            let unchanged = try get("/file.txt", "If-None-Match: \(tag)")
            #expect(unchanged.status == 304)
            #expect(unchanged.value("ETag") == tag)
            #expect(try get("/file.txt", "If-None-Match: \"other\", \(tag)").status == 304)
            #expect(try get("/file.txt", "If-None-Match: *").status == 304)
            #expect(try get("/file.txt", "If-None-Match: \"other\"").status == 200)
            #expect(try get("/file.txt", "If-Modified-Since: \(modified)").status == 304)
            #expect(
                try get("/file.txt", "If-Modified-Since: \(modified)", "If-None-Match: \"other\"")
                    .status == 200)
            #expect(try get("/file.txt", "If-Match: \"other\"").status == 412)
            #expect(
                try get("/file.txt", "If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT").status
                    == 412)
            #expect(try get("/file.txt", "Range: bytes=0-1", "If-Range: \"other\"").status == 200)
        }

        @Test func anIndexAnswersForItsFolder() throws {
            let response = try get("/")
            #expect(response.text == "home\n")
            #expect(response.value("Content-Type")?.hasPrefix("text/html") == true)
        }

        @Test func methodsThatChangeAFileAreNotAllowed() throws {
            let client = try SharedServer.current.client()
            for method in ["POST", "PUT", "DELETE", "PATCH"] {
                let response = try client.exchange(method, "/file.txt", body: [])
                #expect(response.status == 405)
                #expect(response.value("Allow")?.contains("GET") == true)
            }
            #expect(try client.exchange("GET", "/file.txt").text == "0123456789\n")
        }

        @Test func aFileThatShrinksWhileItIsSentEndsTheConnection() throws {
            let server = try SharedServer.current
            try server.site.write("www/shrinks.bin", [UInt8](repeating: 1, count: 64 << 20))
            let client = try server.client()
            try client.send("GET /shrinks.bin HTTP/1.1\r\nHost: localhost\r\n\r\n")
            let head = try client.responseHead()
            #expect(head.value("Content-Length") == "\(64 << 20)")
            try FileHandle(forWritingAtPath: server.site.path + "/www/shrinks.bin")?.truncate(
                atOffset: 100)
            #expect(try client.everything().count < 64 << 20)
            #expect(
                eventually {
                    server.errors.contains(
                        "GET /shrinks.bin: \(server.site.path)/www/shrinks.bin became shorter while it was"
                            + " sent; cut the response")
                }, "\(server.errors)")
            #expect(try server.get("/file.txt").status == 200)
        }
    }
}
