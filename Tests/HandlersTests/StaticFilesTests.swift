// Files over HTTP: what is sent, and what never is.
// SPDX-License-Identifier: Apache-2.0

import Configuration
import Exchange
import Glibc
import Handlers
import Platform
import Testing
import TestSupport

@Suite struct StaticFilesTests {
    let served: ServedFolder

    init() throws {
        served = try ServedFolder()
        try served.folder.write("www/hello.txt", "0123456789")
    }

    @Test func aFileIsSentWithItsTypeAndValidators() throws {
        let answer = try served.get("/hello.txt")
        #expect(answer.status == 200 && answer.body == "0123456789")
        #expect(answer.field("Content-Type") == "text/plain; charset=utf-8")
        #expect(answer.field("Content-Length") == "10")
        #expect(answer.field("Accept-Ranges") == "bytes")
        #expect(answer.field("Last-Modified")?.hasSuffix(" GMT") == true)
        #expect(answer.field("ETag")?.hasPrefix("\"") == true)
    }

    @Test func headHasTheFieldsOfGetAndNoBody() throws {
        let get = try served.get("/hello.txt")
        let head = try served.get("/hello.txt", method: "HEAD")
        #expect(head.body.isEmpty)
        #expect(
            head.response.fieldSet(without: ["date"]) == get.response.fieldSet(without: ["date"]))
    }

    @Test(arguments: [0, 1, 8191, 8192, 3_000_000])
    func filesOfAnySizeArriveWhole(size: Int) throws {
        let text = String(
            decoding: (0..<size).map { UInt8(ascii: "a") + UInt8($0 % 23) }, as: UTF8.self)
        try served.folder.write("www/f.bin", text)
        let answer = try served.get("/f.bin")
        #expect(answer.status == 200 && answer.field("Content-Length") == "\(size)")
        let isWhole = answer.body == text
        #expect(isWhole)
    }

    @Test func otherMethodsAreRefusedForFilesThatExist() throws {
        let answer = try served.get("/hello.txt", method: "POST")
        #expect(answer.status == 405 && answer.field("Allow") == "GET, HEAD")
        #expect(try served.get("/none.txt", method: "POST").status == 404)
    }

    // MARK: Conditions and ranges

    @Test func whoHasTheFileGetsNoBody() throws {
        let tag = try #require(try served.get("/hello.txt").field("ETag"))
        let answer = try served.get("/hello.txt", ["If-None-Match: \(tag)"])
        #expect(answer.status == 304 && answer.body.isEmpty)
        #expect(answer.field("ETag") == tag && answer.field("Content-Length") == nil)
        #expect(try served.get("/hello.txt", ["If-Match: \"x\""]).status == 412)
        try served.folder.write("www/hello.txt", "changed")
        #expect(try served.get("/hello.txt", ["If-None-Match: \(tag)"]).status == 200)
    }

    @Test func onePartIsSentAlone() throws {
        let answer = try served.get("/hello.txt", ["Range: bytes=2-4"])
        #expect(answer.status == 206 && answer.body == "234")
        #expect(answer.field("Content-Range") == "bytes 2-4/10")
        #expect(answer.field("Content-Length") == "3")
        #expect(try served.get("/hello.txt", ["Range: bytes=2-4"], method: "HEAD").status == 200)
    }

    @Test func severalPartsAreOneMultipartBody() throws {
        let answer = try served.get("/hello.txt", ["Range: bytes=0-1,-2"])
        let type = try #require(answer.field("Content-Type"))
        let boundary = type.drop { $0 != "=" }.dropFirst()
        #expect(type == "multipart/byteranges; boundary=\(boundary)")
        let lines = answer.body.split(separator: "\r\n").map(String.init)
        let partType = "Content-Type: text/plain; charset=utf-8"
        let first = ["--\(boundary)", partType, "Content-Range: bytes 0-1/10", "01"]
        let second = ["--\(boundary)", partType, "Content-Range: bytes 8-9/10", "89"]
        #expect(lines == first + second + ["--\(boundary)--"])
        #expect(answer.field("Content-Length") == "\(answer.body.utf8.count)")
    }

    @Test func manyLargePartsBecomeTheWholeFile() throws {
        try served.folder.write("www/big", String(repeating: "x", count: 600_000))
        let answer = try served.get("/big", ["Range: bytes=0-199999,300000-499999"])
        #expect(answer.status == 200 && answer.body.count == 600_000)
    }

    @Test func aRangeOutsideNamesTheLength() throws {
        let answer = try served.get("/hello.txt", ["Range: bytes=10-"])
        #expect(answer.status == 416 && answer.field("Content-Range") == "bytes */10")
    }

    // MARK: Folders

    @Test func aFolderWithoutSlashIsRedirectedWithinTheServer() throws {
        served.folder.makeFolder("www/dir")
        served.folder.makeFolder("www/evil.test")
        served.folder.makeFolder("www/a b\u{e9}")
        let location = { try served.get($0).field("Location") }
        #expect(try served.get("/dir").status == 301)
        #expect(try location("/dir?q=1") == "/dir/?q=1")
        #expect(try location("//evil.test") == "/evil.test/")
        #expect(try location("/a%20b%c3%a9") == "/a%20b%C3%A9/")
    }

    @Test func aFolderIsAnsweredByItsIndexAndNeverListed() throws {
        try served.folder.write("www/a/index.html", "welcome")
        served.folder.makeFolder("www/empty")
        let answer = try served.get("/a/")
        #expect(answer.body == "welcome")
        #expect(answer.field("Content-Type") == "text/html; charset=utf-8")
        #expect(try served.get("/empty/").status == 403)
        #expect(try served.get("/none/").status == 404)
        #expect(try served.get("/hello.txt/").status == 404)
    }

    @Test func anIndexOfAnotherHandlerIsReported() throws {
        try served.folder.write("www/app/index.php", "<?php secret")
        for method in ["GET", "POST"] {
            let answer = try served.get("/app/", method: method)
            #expect(answer.mapping == 1 && answer.status == 0)
            #expect(answer.scriptFilename == served.folder.path + "/www/app/index.php")
        }
    }

    @Test func theIndexOfAFolderOfDocumentsIsNoProgram() throws {
        served.settings.handlers.insert(
            .init(pattern: .prefix("/uploads"), target: .files, line: 1), at: 1)
        try served.folder.write("www/uploads/d/index.php", "<?php secret")
        let answer = try served.get("/uploads/d/")
        #expect(answer.mapping == nil && answer.status == 403)
        #expect(try served.get("/uploads/d/index.php").status == 404)
    }

    @Test func anIndexThatIsAProgramByItsPathIsReported() throws {
        served.settings.handlers = [
            .init(pattern: .prefix("/index.php"), target: .pool(0), line: 1)
        ]
        try served.folder.write("www/index.php", "<?php secret")
        #expect(try served.get("/").mapping == 0)
    }

    @Test func documentsInAFolderOfTheirOwnInsideAProgramsAreServed() throws {
        try served.folder.write("www/cgi-bin/pictures/a.txt", "picture")
        #expect(try served.get("/cgi-bin/pictures/a.txt").status == 404)
        served.settings.handlers.insert(
            .init(pattern: .prefix("/cgi-bin/pictures"), target: .files, line: 1), at: 0)
        #expect(try served.get("/cgi-bin/pictures/a.txt").body == "picture")
    }

    // MARK: What is never sent

    @Test(arguments: [
        "/.htaccess", "/.git/config", "/a/.env", "/.well-known/.hidden", "/x.php", "/x.PHP",
        "/x.Php",
        "/lib.so", "/lib.SO", "/lib.so.1.2", "/hello.txt~", "/cgi-bin/test.txt", "/cgi-bin",
        "/.well-knownx/f",
    ])
    func whatIsNoDocumentIsNotFound(path: String) throws {
        try served.folder.write("www" + path, "secret")
        #expect(try served.get(path).status == 404)
    }

    @Test(arguments: [
        "/.well-known/acme-challenge/x", "/a.php.jpg", "/x.phps.txt", "/cgi-binary/f.txt", "/a.sox",
        "/so", "/x..y", "/~user/f",
    ])
    func whatOnlyLooksLikeItIsServed(path: String) throws {
        try served.folder.write("www" + path, "document")
        #expect(try served.get(path).body == "document")
    }

    @Test func onlyRegularFilesBelowTheRootAreOpened() throws {
        let folder = served.folder
        folder.makePipe("www/pipe.txt")
        folder.link("www/out.txt", to: "../secret.txt")
        folder.link("www/absolute.txt", to: folder.path + "/secret.txt")
        folder.link("www/inside.txt", to: "hello.txt")
        folder.link("www/loop.txt", to: "loop.txt")
        folder.link("www/dangling.txt", to: "nothing")
        folder.link("www/up", to: "..")
        folder.link("www/null.txt", to: "/dev/null")
        let paths = [
            "/pipe.txt", "/out.txt", "/absolute.txt", "/loop.txt", "/dangling.txt", "/null.txt",
            "/up/secret.txt", "/up/", "/up", "/" + String(repeating: "a", count: 300),
            "/" + String(repeating: "a/", count: 2500), "/hello.txt/x",
        ]
        for path in paths { #expect(try served.get(path).status == 404, "\(path)") }
        #expect(try served.get("/inside.txt").body == "0123456789")
    }

    @Test func aFileThatMayNotBeReadIsForbidden() throws {
        try served.folder.write("www/closed.txt", "secret")
        chmod(served.folder.path + "/www/closed.txt", 0)
        // Root reads everything.
        #expect(try served.get("/closed.txt").status == (geteuid() == 0 ? 200 : 403))
    }

    /// P1 and P2: dots and slashes in every disguise, at every depth.
    @Test func noDisguiseOfDotsLeadsOutOfTheRoot() throws {
        try served.folder.write("www/a/b/c.txt", "deep")
        let dots = [
            "..", "%2e%2e", "%2E.", ".%2e", "%252e%252e", "%25%32%65.", "%c0%ae%c0%ae",
            "%e0%80%ae.",
            "%u002e%u002e", "..%00", "%00..", "...", "....", ".. ", "..%20", "..;", "..%3b",
            "..%01", ".%0a.",
            "%uff0e%uff0e", "%ef%bc%8e%ef%bc%8e", "..%c0%af", "..%5c..", "..%2f..", "%2e%2e%2f",
            "0x2e0x2e",
        ]
        let slashes = [
            "/", "//", "/./", "%2f", "%2F", "%5c", "\\", "%252f", "%c0%af", "%c1%9c", "%e0%80%af",
            "%u2215", "%u2216", "%ef%bc%8f", "/%2e/", "/;/", "%2f%2f", "/.%00/", "%00/", "%0d%0a/",
            ";/",
        ]
        for dot in dots {
            for slash in slashes {
                for depth in 1...4 {
                    let climb = String(repeating: dot + slash, count: depth)
                    for start in ["/", "/a/b/", "/hello.txt/"] {
                        let target = start + climb + "secret.txt"
                        let answer = try served.get(target)
                        let refused = [400, 403, 404].contains(answer.status)
                        if !refused || answer.body.contains(ServedFolder.secret) {
                            Issue.record("\(target): \(answer.status)")
                        }
                    }
                }
            }
        }
    }
}
