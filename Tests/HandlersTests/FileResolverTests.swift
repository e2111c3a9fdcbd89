// Which script a path means: the existing file decides.
// SPDX-License-Identifier: Apache-2.0

import Handlers
import Platform
import Testing
import TestSupport

@Suite struct FileResolverTests {
    let served: ServedFolder

    init() throws {
        served = try ServedFolder()
        for name in [
            "a.php", "x.jpg", "real.php.jpg", "b.PHP", "dir.php/in.php", "app/index.php",
            ".git/h.php",
            ".well-known/w.php", "shell.\u{ff50}\u{ff48}\u{ff50}", "php", "sub/.php",
            "name.\u{a1}.txt",
            "cgi-bin/env", "cgi-bin/deep/tool.pl", "cgi-bin/.secret",
        ] { try served.folder.write("www/" + name, "x") }
        served.folder.makePipe("www/pipe.php")
        served.folder.link("www/out.php", to: "../secret.txt")
        served.folder.link("www/in.php", to: "a.php")
    }

    /// "script|path info|file below the root", or "none".
    private func describe(_ found: Bool, _ route: Route) -> String {
        guard found else { return "none" }
        let text = { (bytes: [UInt8]) in String(decoding: bytes, as: UTF8.self) }
        let file = text(route.scriptFilename).dropFirst(text(served.site.documentRoot).count)
        return "\(text(route.scriptName))|\(text(route.pathInfo))|\(file)"
    }

    private func resolve(_ path: String) -> String {
        var route = Route()
        let bytes = Array(path.utf8)
        let found = FileResolver.resolve(
            bytes.span, suffix: Array(".php".utf8), site: served.site, into: &route)
        return describe(found, route)
    }

    @Test(arguments: [
        ("/a.php", "/a.php||/a.php"), ("/a.php/", "/a.php|/|/a.php"),
        ("/a.php/x/y.php", "/a.php|/x/y.php|/a.php"), ("/a.php/x.jpg", "/a.php|/x.jpg|/a.php"),
        ("/dir.php/in.php/i", "/dir.php/in.php|/i|/dir.php/in.php"),
        ("/in.php", "/in.php||/in.php"),
        ("/app/index.php", "/app/index.php||/app/index.php"),
        ("/.well-known/w.php", "/.well-known/w.php||/.well-known/w.php"),
        // P4
        ("/x.jpg/a.php", "none"), ("/x.jpg/.php", "none"), ("/x.jpg\n.php", "none"),
        ("/x.jpg\0.php", "none"), ("/a.php\0", "none"), ("/a.php\n", "none"), ("/a.php ", "none"),
        ("/a.php.", "none"), ("/real.php.jpg", "none"), ("/b.PHP", "none"), ("/a.PHP", "none"),
        ("/a.PHP/", "none"), ("/b.php", "none"), ("/shell.\u{ff50}\u{ff48}\u{ff50}", "none"),
        ("/name.\u{a1}.txt", "none"), ("/php", "none"), ("/.php", "none"), ("/sub/.php", "none"),
        ("/.git/h.php", "none"), ("/none.php", "none"), ("/none.php/a.php", "none"),
        ("/dir.php", "none"), ("/dir.php/", "none"), ("/app/", "none"), ("/", "none"), ("", "none"),
        ("a.php", "none"), ("/pipe.php", "none"), ("/out.php", "none"), ("/../secret.php", "none"),
        ("/a.php%00.jpg", "none"),
    ])
    func theFirstExistingFileDecides(path: String, found: String) {
        #expect(resolve(path) == found)
    }

    @Test(arguments: [
        ("/cgi-bin/env", "/cgi-bin/env||/cgi-bin/env"),
        ("/cgi-bin/env/a/b", "/cgi-bin/env|/a/b|/cgi-bin/env"),
        ("/cgi-bin/deep/tool.pl/", "/cgi-bin/deep/tool.pl|/|/cgi-bin/deep/tool.pl"),
        ("/cgi-bin/deep", "none"), ("/cgi-bin/", "none"), ("/cgi-bin", "none"),
        ("/cgi-binary", "none"),
        ("/cgi-bin/.secret", "none"), ("/cgi-bin/none/env", "none"), ("/a.php", "none"),
        ("/cgi-bin/env\0", "none"),
    ])
    func aFolderOfScriptsHoldsTheFirstFileOfThePath(path: String, found: String) {
        var route = Route()
        let bytes = Array(path.utf8)
        let isFound = FileResolver.resolve(
            bytes.span, below: Array("/cgi-bin".utf8), site: served.site, into: &route)
        #expect(describe(isFound, route) == found)
    }

    @Test func aSiteWithoutFilesHasNoScripts() {
        let site = ServedSite(name: "x", number: 1, documentRoot: [], rootDescriptor: -1)
        var route = Route()
        let bytes = Array("/a.php".utf8)
        let found = FileResolver.resolve(
            bytes.span, suffix: Array(".php".utf8), site: site, into: &route)
        #expect(!found)
    }
}
