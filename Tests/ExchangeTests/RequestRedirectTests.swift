// Local redirects: the same request with another path, or nothing changed at all.
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Exchange

@Suite struct RequestRedirectTests {
    private func make(_ text: String) throws -> Request {
        let request = Request()
        var parser = RequestParser()
        let bytes = Array(text.utf8)
        _ = try parser.parse(bytes.span, into: request)
        return request
    }

    private let post =
        "POST /a HTTP/1.1\r\nHost: x\r\nCookie: c\r\nContent-Length: 3\r\n"
        + "Content-Type: t/t\r\nExpect: 100-continue\r\n\r\n"

    @Test func itIsAGetWithTheSameFieldsAndNoBody() throws {
        let request = try make(post)
        #expect(request.redirect(to: Array("/b%20c?d".utf8)))
        #expect(request.method == .get)
        #expect(request.path == Array("/b c".utf8))
        #expect(request.text(request.query) == "d")
        #expect(!request.hasBody)
        #expect(!request.expectsContinue)
        #expect(request.text(try #require(request.value(of: "cookie"))) == "c")
        #expect(request.value(of: "content-type") == nil)
        #expect(request.text(request.host) == "x")
    }

    @Test(arguments: [
        "", "b", "http://y/b", "/%zz", "/..", "/%2f", "/a b", "/a\r\nX: y", "/a HTTP/1.1\r\nX: y",
        "/a HTTP/1.1\r\n\r\nGET /", "/\0", "*", "/a#b",
    ])
    func anInvalidTargetChangesNothing(target: String) throws {
        let request = try make(post)
        let before = (request.bytes, request.path, request.fields.count)
        #expect(!request.redirect(to: Array(target.utf8)))
        #expect((request.bytes, request.path, request.fields.count) == before)
        #expect(request.text(request.methodName) == "POST")
    }

    @Test func itKeepsTheAuthorityOfTheTargetItHad() throws {
        let request = try make("GET http://a:81/x HTTP/1.1\r\nHost: b\r\n\r\n")
        #expect(request.redirect(to: Array("/y".utf8)))
        #expect(request.text(request.authority) == "a:81")
        #expect(request.text(try #require(request.value(of: "host"))) == "a:81")
    }

    @Test func itKeepsWhetherTheConnectionIsKept() throws {
        let request = try make("GET /x HTTP/1.1\r\nHost: b\r\n\r\n")
        request.refuseKeepAlive()
        #expect(request.redirect(to: Array("/y".utf8)))
        #expect(!request.keepsAlive)
    }

    @Test func aHeadBeyondTheUsualBoundsIsRedirectedToo() throws {
        let request = Request()
        var parser = RequestParser(limits: .init(requestLine: 1 << 20, head: 1 << 20, fields: 1000))
        let lines = String(repeating: "A: \(String(repeating: "b", count: 200))\r\n", count: 500)
        let bytes = Array("GET /x HTTP/1.1\r\nHost: b\r\n\(lines)\r\n".utf8)
        _ = try parser.parse(bytes.span, into: request)
        #expect(request.redirect(to: Array("/y".utf8)))
        #expect(request.fields.count == 501)
    }
}
