// What a client sends never poses as what the server knows.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing
import TestSupport

private let files = plainFiles.merging([
    "www/env.php": "<?php foreach ($_SERVER as $n => $v) if (is_string($v)) echo \"$n=$v\\n\";",
    "www/front": "<?php foreach ($_SERVER as $n => $v) if (is_string($v)) echo \"$n=$v\\n\";",
    // Descriptors from 3 on, but 10, where a shell keeps the script itself.
    "www/cgi-bin/fds":
        "#!/bin/sh\nprintf 'Content-Type: text/plain\\r\\n\\r\\n'\nfor n in 3 4 5 6 7 8 9 11 12 13 14 15 16; do [ ! -e /proc/$$/fd/$n ] || echo $n; done\n",
    "www/cgi-bin/arguments":
        "#!/bin/sh\nprintf 'Content-Type: text/plain\\r\\n\\r\\n'\necho \"$#\"\n",
]) { $1 }

private let site = """
    extensions:
      echo:     { library: echo, thread-safe: true }
      isolated: { library: echo, thread-safe: false, pool: { processes: 1 } }
    pools:
      php: { command: [php-cgi], processes: { min: 0, max: 2 } }
    sites:
      - name: main
        root: www
        handlers:
          - { path: /echo,      extension: echo }
          - { path: /isolated,  extension: isolated }
          - { path: /cgi-bin/*, cgi: true }
          - { path: /front,     pool: php }
          - { path: "*.php",    pool: php }
    """

extension EndToEndTests {
    @Suite("Variables", .serialized, .server(site, files: files), .timeLimit(.minutes(2)))
    struct VariableTests {
        /// Everything that shows its variables: CGI, FastCGI, an extension in each home.
        static let targets = ["/cgi-bin/env", "/env.php", "/echo", "/isolated"]

        private func get(_ target: String, _ fields: String...) throws -> String {
            if target.hasSuffix(".php") { try requirePHP() }
            let response = try SharedServer.current.get(target, fields: fields)
            #expect(response.status == 200)
            return response.text
        }

        @Test(arguments: targets)
        func proxyHeaderNeverBecomesAVariable(_ target: String) throws {
            let text = try get(target, "Proxy: evil-1", "PROXY: evil-2", "X-Seen: here")
            #expect(text.contains("here"))
            if target == "/cgi-bin/env" || target == "/env.php" { #expect(!text.contains("evil-")) }
            #expect(!text.contains("HTTP_PROXY"))
        }

        @Test(arguments: ["/cgi-bin/env", "/env.php"])
        func namesThatOnlyLookLikeAnotherFieldAreDropped(_ target: String) throws {
            let text = try get(
                target, "X-Forwarded-For: real", "X_Forwarded_For: evil-1",
                "X.Forwarded.For: evil-2",
                "Content_Length: evil-3", "Remote_User: evil-4", "Transfer_Encoding: evil-5")
            #expect(text.contains("HTTP_X_FORWARDED_FOR=real\n"))
            #expect(!text.contains("evil-"))
        }

        @Test(arguments: ["/cgi-bin/env", "/env.php"])
        func severalFieldsOfANameBecomeOneList(_ target: String) throws {
            let text = try get(target, "X-Many: a", "x-many: b", "Cookie: c=1", "Cookie: d=2")
            #expect(text.contains("HTTP_X_MANY=a, b\n"))
            #expect(text.contains("HTTP_COOKIE=c=1; d=2\n"))
        }

        @Test func aSecondContentTypeIsRefused() throws {
            let fields = ["Content-Type: text/plain", "Content-Type: text/html"]
            #expect(try SharedServer.current.get("/cgi-bin/env", fields: fields).status == 400)
        }

        @Test(arguments: ["/cgi-bin/env", "/env.php"])
        func authorizationIsWithheld(_ target: String) throws {
            #expect(
                !(try get(target, "Authorization: Basic c2VjcmV0OnNlY3JldA==")).contains("c2VjcmV0")
            )
        }

        @Test func aQueryStringIsNeverACommandLine() throws {
            #expect(try get("/cgi-bin/arguments?-d+one+two") == "0\n")
        }

        @Test func aScriptGetsThreeDescriptorsAndAnEnvironmentFromZero() throws {
            #expect(try get("/cgi-bin/fds") == "")
            let names = try get("/cgi-bin/env").split(separator: "\n").compactMap {
                $0.split(separator: "=").first
            }
            for name in names {
                #expect(
                    !name.hasPrefix("LD_") && !name.hasPrefix("SWIFT_") && name != "HOME", "\(name)"
                )
            }
        }

        @Test(arguments: ["/cgi-bin/env", "/env.php"])
        func theVariablesOfTheGatewayInterfaceAreRight(_ target: String) throws {
            let server = try SharedServer.current
            let lines = Set(try get(target + "?a=b%20c").split(separator: "\n").map(String.init))
            for line in [
                "REQUEST_METHOD=GET", "QUERY_STRING=a=b%20c", "SCRIPT_NAME=\(target)",
                "SERVER_PROTOCOL=HTTP/1.1",
                "GATEWAY_INTERFACE=CGI/1.1", "SERVER_NAME=localhost", "SERVER_PORT=\(server.port)",
                "REMOTE_ADDR=127.0.0.1", "DOCUMENT_ROOT=\(server.site.path)/www",
                "SCRIPT_FILENAME=\(server.site.path)/www\(target)", "REQUEST_URI=\(target)?a=b%20c",
            ] {
                #expect(lines.contains(line), "\(line)")
            }
        }

        @Test(arguments: ["/cgi-bin/env", "/env.php"])
        func pathTranslatedIsThePathInfoBelowTheRoot(_ target: String) throws {
            let server = try SharedServer.current
            let text = try get(target + "/more/x.txt")
            #expect(text.contains("PATH_INFO=/more/x.txt\n"))
            #expect(text.contains("PATH_TRANSLATED=\(server.site.path)/www/more/x.txt\n"))
            #expect(text.contains("SCRIPT_NAME=\(target)\n"))
        }

        @Test func aPoolOnAPathIsToldThatPathAndTheFileThere() throws {
            try requirePHP()
            let text = try get("/front/more/x.txt")
            let site = try SharedServer.current.site.path
            for line in [
                "SCRIPT_NAME=/front", "PATH_INFO=/more/x.txt", "SCRIPT_FILENAME=\(site)/www/front",
            ] {
                #expect(text.contains("\(line)\n"), "\(line)")
            }
        }

        @Test(arguments: ["/echo", "/isolated"])
        func anExtensionIsToldItsPathAndTheRestOfIt(_ target: String) throws {
            let text = try get(target + "/more?a=b")
            #expect(text.contains("\"SCRIPT_NAME\": \"\(target)\""))
            #expect(text.contains("\"PATH_INFO\": \"/more\""))
            #expect(text.firstMatch(of: /"SCRIPT_FILENAME": ".*\/libecho.so"/) != nil)
        }

        @Test(arguments: targets)
        func manyLargeFieldsAreHandledOrRefused(_ target: String) throws {
            let server = try SharedServer.current
            for (count, size) in [(1, 15_000), (3, 15_000), (150, 300)] {
                let fields = (0..<count).map { "X-F\($0): " + String(repeating: "v", count: size) }
                #expect([200, 431].contains(try server.get(target, fields: fields).status))
            }
            #expect(try server.get(target).status == 200)
        }
    }
}
