// Which site and which mapping a request belongs to.
// SPDX-License-Identifier: Apache-2.0

import Configuration
import Exchange
import Handlers
import Platform
import Testing

@testable import Server

@Suite struct RoutingTests {
    private func exchange(_ target: String, host: String = "x") throws -> Exchange {
        let request = Request()
        let exchange = Exchange(
            request: request, response: HTTP1Response(request: request), errorLog: ErrorLog())
        var parser = RequestParser()
        let bytes = Array("GET \(target) HTTP/1.1\r\nHost: \(host)\r\n\r\n".utf8)
        _ = try parser.parse(bytes.span, into: exchange.request)
        return exchange
    }

    @Test(arguments: [
        ("a.test", "a.test", true), ("a.test", "A.Test:8080", true), ("a.test", "b.test", false),
        ("a.test", "xa.test", false), ("a.test", "a.test.", false), ("*.a.test", "b.a.test", true),
        ("*.a.test", "c.b.A.test:1", true), ("*.a.test", "a.test", false),
        ("*.a.test", ".a.test", false), ("*.a.test", "ba.test", false), ("::1", "[::1]", false),
    ])
    func aHostIsMatchedWholeOrBelowAWildcard(pattern: String, host: String, matches: Bool) throws {
        #expect(HostPattern(pattern).matches(try exchange("/", host: host).request) == matches)
    }

    @Test(arguments: [
        ("/a", "/a", "/a", ""), ("/a", "/a/", "/a", "/"), ("/a", "/a/b/c", "/a", "/b/c"),
        ("/a/", "/a/b", "/a", "/b"), ("/", "/a/b", "", "/a/b"), ("/a", "/x/../a/b", "/a", "/b"),
        ("/a", "/a%2eb", nil, ""), ("/a", "/ab", nil, ""), ("/a", "/A", nil, ""),
        ("/a", "/", nil, ""),
        ("/a/b", "/a", nil, ""),
    ])
    func aPrefixEndsAtASlash(
        pattern: String, target: String, script: String?, pathInfo: String
    ) throws {
        let site = ServedSite(name: "s", number: 1, documentRoot: [], rootDescriptor: -1)
        let mapping = RoutedMapping(
            .prefix(pattern), RedirectHandler(status: 302, location: ""),
            kind: .program(scriptFilename: []), served: ServedMapping(name: "redirect"))
        let exchange = try exchange(target)
        #expect(mapping.matches(exchange, site) == (script != nil))
        #expect(exchange.route.scriptName == Array((script ?? "").utf8))
        #expect(exchange.route.pathInfo == Array(pathInfo.utf8))
    }
}
