// No address leads out of the root, and none to the source of what should run.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
import Testing
import TestSupport

private let canary = "canary-7c1f outside the root\n"

private let files = [
    "secret.txt": canary,
    "www/index.html": "home\n",
    "www/inside.txt": "inside\n",
    "www/.hidden": canary,
    "www/.git/config": canary,
    "www/picture.jpg": "no PHP in here\n",
    "www/page.php": "<?php echo 'ran:', $_SERVER['PATH_INFO'] ?? ''; // \(canary)",
    "www/page.php.jpg": "a picture\n",
    "www/folder/index.html": "folder\n",
    "www/cgi-bin/script":
        "#!/bin/sh\n# \(canary)printf 'Content-Type: text/plain\\r\\n\\r\\nran:%s' \"$PATH_INFO\"\n",
    "www/cgi-bin/not-executable": canary,
]

private let site = """
    extensions:
      hello: { library: hello, thread-safe: true }
    pools:
      php: { command: [php-cgi], processes: { min: 0, max: 2 } }
      dead: { command: [/nonexistent/program] }
    sites:
      - name: main
        root: www
        handlers:
          - { path: /hello,     extension: hello }
          - { path: /cgi-bin/*, cgi: true }
          - { path: "*.php",    pool: php }
          - { path: "*.dead",   pool: dead }
    """

/// Ways to write "up" and "/", each of which somebody once forgot.
private let traversals: [String] = {
    let dots = [
        "..", ".%2e", "%2e%2e", "%2E.", "%252e%252e", "..%00", "%c0%ae%c0%ae", "...", "..;",
        "%u002e%u002e", ". .",
    ]
    let slashes = [
        "/", "%2f", "%2F", "%5c", "\\", "%252f", "%c0%af", "//", "/./", "%u2215", "%e0%80%af",
    ]
    var found: [String] = []
    for dot in dots {
        for slash in slashes {
            for depth in [1, 2, 3] { found.append(String(repeating: dot + slash, count: depth)) }
        }
    }
    return found
}()

extension EndToEndTests {
    @Suite(
        "Paths", .serialized,
        .server(site, files: files) { site in
            let www = site.path + "/www"
            mkfifo(www + "/pipe", 0o644)
            symlink("/dev/zero", www + "/zero")
            symlink(site.path + "/secret.txt", www + "/out.txt")
            symlink("nowhere", www + "/dangling")
            symlink("loop", www + "/loop")
            symlink("inside.txt", www + "/link.txt")
            try site.write("www/module.so", [0x7f, 0x45, 0x4c, 0x46])
        },
        .timeLimit(.minutes(5)))
    struct PathTests {
        private func get(_ target: String) throws -> HTTPResponse {
            try SharedServer.current.get(target)
        }

        @Test(arguments: [
            "/", "/folder/", "/cgi-bin/", "/cgi-bin/script/", "/hello/", "/page.php/",
        ])
        func traversalNeverLeavesTheRoot(_ start: String) throws {
            let server = try SharedServer.current
            for traversal in traversals {
                let client = try server.client()
                try client.send(
                    "GET \(start)\(traversal)secret.txt HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
                )
                let response = try client.response()
                #expect(!response.text.contains("canary-7c1f"), "\(start)\(traversal)")
                #expect(
                    [200, 301, 302, 400, 403, 404].contains(response.status),
                    "\(start)\(traversal) \(response.status)")
            }
        }

        @Test(arguments: [
            "/inside.txt%00", "/inside.txt%00.jpg", "/page.php%00.jpg", "/%00",
            "/cgi-bin/script%00",
        ])
        func aNULInAPathIsRefused(_ target: String) throws {
            #expect(try get(target).status == 400)
        }

        @Test(arguments: ["/%", "/%4", "/%zz", "/%u2215", "/a%2"])
        func malformedEscapesAreRefused(_ target: String) throws {
            #expect([400, 404].contains(try get(target).status))
        }

        @Test(arguments: ["/%2569nside.txt", "/folder%252findex.html", "/%252e%252e/inside.txt"])
        func pathsAreDecodedOnce(_ target: String) throws {
            #expect([400, 404].contains(try get(target).status))
        }

        @Test(arguments: [
            "/inside.txt", "/%69nside.txt", "/./inside.txt", "/folder/../inside.txt",
            "//inside.txt",
        ])
        func theSameFileHasManyNames(_ target: String) throws {
            #expect(try get(target).text == "inside\n")
        }

        @Test(arguments: ["/.hidden", "/.git/config", "/folder/../.hidden", "/%2ehidden", "/.git/"])
        func dotFilesAreNotServed(_ target: String) throws {
            let response = try get(target)
            #expect([403, 404].contains(response.status))
            #expect(!response.text.contains("canary-7c1f"))
        }

        @Test(arguments: [
            "/picture.jpg/a.php", "/picture.jpg/.php", "/picture.jpg%0a.php", "/nothing.php",
            "/inside.txt/x.php",
            "/page.PHP", "/page%ef%bd%90hp", "/folder/x.php/index.html",
        ])
        func onlyAnExistingScriptRuns(_ target: String) throws {
            try requirePHP()
            let response = try get(target)
            #expect([400, 404].contains(response.status), "\(response.status)")
            #expect(!response.text.contains("no PHP in here"))
        }

        @Test func aScriptGetsThePathBehindItsName() throws {
            try requirePHP()
            #expect(try get("/page.php").text == "ran:")
            #expect(try get("/page.php/more/of%20it").text == "ran:/more/of it")
            #expect(try get("/cgi-bin/script/more").text == "ran:/more")
            #expect(try get("/page.php.jpg").text == "a picture\n")
        }

        @Test(arguments: [
            "/module.so", "/page.php", "/cgi-bin/script", "/cgi-bin/not-executable", "/x.dead",
        ])
        func sourceAndLibrariesAreNeverSent(_ target: String) throws {
            let server = try SharedServer.current
            try server.site.write("www/x.dead", canary)
            let response = try get(target)
            #expect(!response.text.contains("canary-7c1f"))
            #expect(!response.body.starts(with: [0x7f, 0x45, 0x4c, 0x46]))
            if target.hasSuffix(".dead") {
                #expect(response.status == 503)
                #expect(response.value("Retry-After") != nil)
            }
        }

        @Test(arguments: ["/pipe", "/zero", "/dangling", "/loop"])
        func whatIsNoRegularFileIsNeverOpenedForLong(_ target: String) throws {
            #expect([403, 404].contains(try get(target).status))
        }

        @Test func aLinkOutOfTheRootIsNotFollowed() throws {
            let response = try get("/out.txt")
            #expect([403, 404].contains(response.status))
            #expect(!response.text.contains("canary-7c1f"))
        }

        @Test func anAddressCannotSplitAResponse() throws {
            for target in [
                "/folder%0d%0aX-Evil:%20yes", "/%0d%0aX-Evil:%20yes/",
                "/folder?%0d%0aX-Evil:%20yes",
            ] {
                #expect(try get(target).value("X-Evil") == nil)
            }
        }

        @Test func aFolderWithoutASlashIsRedirected() throws {
            let response = try get("/folder?a=b")
            #expect([301, 302, 307, 308].contains(response.status))
            #expect(response.value("Location")?.hasSuffix("/folder/?a=b") == true)
        }
    }
}
