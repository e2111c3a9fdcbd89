// Which site and which mapping a request belongs to.
// SPDX-License-Identifier: Apache-2.0

import Configuration
import Exchange
import Handlers
import Platform
import Testing

@testable import Server

@Suite struct RoutingTests {
    private func exchange(_ target: String) throws -> Exchange {
        let request = Request()
        let exchange = Exchange(
            request: request, response: HTTP1Response(request: request), errorLog: ErrorLog())
        var parser = RequestParser()
        let bytes = Array("GET \(target) HTTP/1.1\r\nHost: x\r\n\r\n".utf8)
        _ = try parser.parse(bytes.span, into: exchange.request)
        return exchange
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
            kind: .program,
            served: ServedMapping(
                name: "redirect", scriptName: PathTable.Pattern(.prefix(pattern)).prefix))
        let exchange = try exchange(target)
        let files = RoutedMapping(
            .prefix("/"), RedirectHandler(status: 404, location: ""), kind: .files,
            served: ServedMapping(name: "files"))
        let routed = RoutedSite(served: site, rules: nil, mappings: [mapping], files: files)
        let found = routed.mapping(for: exchange).takeUnretainedValue()
        #expect((found === mapping) == (script != nil))
        exchange.route.lead(to: Unmanaged.passUnretained(found.served))
        var name: [UInt8] = []
        _ = exchange.append(.scriptName, to: &name)
        #expect(name == Array((script ?? "").utf8))
        #expect(exchange.route.pathInfo == Array(pathInfo.utf8))
    }
}
