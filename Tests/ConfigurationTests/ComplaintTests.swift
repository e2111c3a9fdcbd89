// The complaints of a configuration, word for word: operators read them.
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Configuration

private let keys =
    "one of listen, user, group, spare, threads, limits, timeouts, logs, recycle, extension-directories, "
    + "extensions, pools, sites"
private let confinementKeys = "user, group, umask, limits, nice, oom-score, new-privileges"
private let cgiKeys =
    "one of timeout, concurrency, environment, interpreter, " + confinementKeys
private let address =
    "an address such as \"127.0.0.1:8080\", \"[::1]:8080\", \"8080\" or \"unix:/run/x.sock\""
private let extensionPoolKeys =
    "one of processes, max-requests, recycle, idle-timeout, activity-timeout, request-timeout, "
    + "start-timeout, queue, rapid-fails-per-minute, environment, folder, "
    + confinementKeys
private let poolKeys = "one of command, " + extensionPoolKeys.dropFirst(7)
private let program = "a program with its arguments, such as [php-cgi, -d, display_errors=0]"
private let path =
    "\"/name\" or \"/name/*\" for all below a path, or \"*.ending\" for files with an ending"

struct ComplaintTests {
    @Test(arguments: [
        ("- a", "1:1: found a list, expected a mapping with \(keys)"),
        (
            "listen: [::1]:80",
            "1:10: found broken YAML: while parsing a flow node of line 1 did not find expected node content, "
                + "expected valid YAML"
        ),
        ("threads:\n\tmin: 1", "2:1: found a tab, expected spaces"),
        (
            "sites: [",
            "1:1: found broken YAML: while parsing a flow node of line 2 did not find expected node content, "
                + "expected valid YAML"
        ),
        (
            "sites:\n  - handlers: [{ path: *.php, files: true }]",
            "2:24: found a text that begins with * without quotes, "
                + "expected it in quotes, such as \"*.php\""
        ),
        (
            "sites:\n  - root: a: b",
            "2:12: found broken YAML: mapping values are not allowed in this context, "
                + "expected valid YAML"
        ),
        (
            "a: *b",
            "1:4: found a text that begins with * without quotes, "
                + "expected it in quotes, such as \"*.php\""
        ),
    ])
    func whatIsNoYAMLIsExplained(text: String, message: String) {
        expect(text, message)
    }

    @Test(arguments: [
        ("lisen: 1", "1:1: found 'lisen', expected \(keys); did you mean 'listen'?"),
        ("colour: 1", "1:1: found 'colour', expected \(keys)"),
        ("threads: 4", "1:10: found '4', expected a mapping with min, max and shards"),
        (
            "threads: { min: 9, max: 8 }",
            "1:17: found min 9 above max 8, expected min no greater than max"
        ),
        (
            "threads: { shards: 9, max: 8 }",
            "1:20: found 9 shards for 8 threads, expected no more shards than threads.max"
        ),
        ("threads: { max: many }", "1:17: found 'many', expected a whole number from 1 to 4096"),
        ("threads: { max: }", "1:17: found nothing, expected a whole number from 1 to 4096"),
        ("threads: { max: [1] }", "1:17: found a list, expected a whole number from 1 to 4096"),
        ("listen: []", "1:9: found no address, expected \(address)"),
        ("listen: { a: b }", "1:9: found a mapping, expected \(address)"),
        ("listen: localhost:80", "1:9: found 'localhost:80', expected \(address)"),
        (
            "listen: [\"80\", 0.0.0.0:80]",
            "1:16: found '0.0.0.0:80' a second time, expected each address once"
        ),
        (
            "listen: [\"80\", 127.0.0.1:80]",
            "1:16: found '127.0.0.1:80' a second time, expected each address once"
        ),
        ("listen: 1.2.3.4:65536", "1:9: found '1.2.3.4:65536', expected \(address)"),
        (
            "limits: { body: -1 }",
            "1:17: found '-1', "
                + "expected a size from 0 to 1024TiB, such as 65536, 64KiB, 10MB or 1GiB"
        ),
        (
            "limits: { body: 10 MBytes }",
            "1:17: found '10 MBytes', "
                + "expected a size from 0 to 1024TiB, such as 65536, 64KiB, 10MB or 1GiB"
        ),
        (
            "limits: { request-line: 64KiB, head: 32KiB }",
            "1:25: found a request-line of 65536 bytes in a head of 32768, "
                + "expected a request-line no longer than the head"
        ),
        (
            "timeouts: { head: 0 }",
            "1:19: found '0', expected a time from 1ms to 744h, such as 30, 500ms, 30s, 5m or 1h"
        ),
        (
            "timeouts: { keep-alive: 5 days }",
            "1:25: found '5 days', "
                + "expected a time from 0 to 744h, such as 30, 500ms, 30s, 5m or 1h"
        ),
        (
            "timeouts: { headd: 1 }",
            "1:13: found 'headd', "
                + "expected one of head, body, receive, keep-alive, send, response, queue, "
                + "request, drain; did you mean 'head'?"
        ),
        (
            "recycle: { at: [\"24:00\"] }",
            "1:17: found '24:00', expected times of day from 00:00 to 23:59, such as "
                + "[\"03:00\", \"15:30\"]"
        ),
        (
            "recycle: { private: 1GiB }",
            "1:12: found 'private', expected one of after, at, memory, private-memory, descriptors"
        ),
        (
            "logs: { error: none }",
            "1:16: found 'none', expected a file, or \"-\" for standard error"
        ),
        (
            "logs: { access: }",
            "1:17: found nothing, expected a file, \"-\" for standard output, or none"
        ),
        (
            "threads: { min: 1, min: 2 }",
            "1:12: found 'min' more than once in one mapping, expected each key once"
        ),
    ])
    func aMistakeInTheServersKeysIsExplained(text: String, message: String) {
        let text = text + "\nsites: [{ root: / }]"
        expect(text, message)
    }

    @Test(arguments: [
        (
            "pools: { php: { comand: php } }",
            "1:15: found a pool without 'command', "
                + "expected the key 'command'\n1:17: found 'comand', expected \(poolKeys); did "
                + "you mean 'command'?"
        ),
        ("pools: { php: { command: } }", "1:26: found nothing, expected \(program)"),
        ("pools: { php: { command: [] } }", "1:26: found an empty list, expected \(program)"),
        (
            "pools: { php: { command: sh -c \"a b\" } }",
            "1:26: found a command with quotes, "
                + "expected a list when words are quoted: [sh, -c, \"a b\"]"
        ),
        (
            "pools: { p h: { command: x } }",
            "1:10: found 'p h', "
                + "expected a name of letters, digits, '.', '_' and '-', at most 64 of them"
        ),
        (
            "pools: { php: { command: x, processes: { min: 5, max: 2 } } }",
            "1:47: found min 5 above max 2, expected min no greater than max"
        ),
        (
            "pools: { php: { command: x, processes: 0 } }",
            "1:40: found '0', expected a whole number from 1 to 1024"
        ),
        (
            "pools: { php: { command: x, environment: { A-B: c } } }",
            "1:44: found 'A-B', expected a variable of letters, digits and '_'"
        ),
    ])
    func aMistakeInAPoolIsExplained(text: String, message: String) {
        let text = text + "\nsites: [{ root: / }]"
        expect(text, message)
    }

    @Test(arguments: [
        (
            "extensions: { a: { } }",
            "1:18: found an extension without 'library', expected the key 'library'"
        ),
        ("extensions: { a: hello }", "1:18: found 'hello', expected a mapping with a library"),
        (
            "extensions: { a: { library: x, thread-safe: yes } }",
            "1:45: found 'yes', expected true or false"
        ),
        (
            "extensions: { a: { library: x, thread_safe: true } }",
            "1:32: found 'thread_safe', "
                + "expected one of library, thread-safe, concurrency, demote-after, watch, timeouts, pool, settings; did you mean "
                + "'thread-safe'?"
        ),
        (
            "extensions:\n  a: { library: x }\n  a: { library: y }",
            "2:3: found 'a' more than once in one mapping, expected each key once"
        ),
        (
            "extensions: { a: { library: x, pool: { command: y } } }",
            "1:40: found 'command', expected \(extensionPoolKeys)"
        ),
        (
            "extensions: { a: { library: x, settings: { REMOTE_ADDR: y } } }",
            "1:44: found 'REMOTE_ADDR', expected a name that no request variable has"
        ),
        (
            "pools: { a: { command: x } }\nextensions: { a: { library: x } }",
            "2:15: found an extension and a pool named 'a', expected names that differ"
        ),
        (
            "extensions: { a: { library: x, settings: [a] } }",
            "1:42: found a list, expected a mapping from names to texts"
        ),
    ])
    func aMistakeInAnExtensionIsExplained(text: String, message: String) {
        let text = text + "\nsites: [{ root: / }]"
        expect(text, message)
    }

    @Test(arguments: [
        ("sites: []", "1:8: found no site, expected a list of sites"),
        ("sites: {}", "1:8: found a mapping, expected a list of sites"),
        ("sites: [a]", "1:9: found 'a', expected a mapping with hosts, root and handlers"),
        ("sites: [{}]", "1:9: found a site with nothing to show, expected a root or handlers"),
        (
            "sites: [{ root: /, hosts: [A.test] }, { root: /, hosts: a.test }]",
            "1:57: found 'a.test', which site site-1 has already, expected each host in one site"
        ),
        (
            "sites: [{ root: / }, { root: / }]",
            "1:22: found a second site for any host after site site-1, "
                + "expected 'hosts' in all sites but one"
        ),
        (
            "sites: [{ root: /, name: a, hosts: a }, { name: a, root: / }]",
            "1:49: found two sites named 'a', expected names that differ"
        ),
        (
            "sites: [{ root: /, hosts: \"a.test:80\" }]",
            "1:27: found 'a.test:80', "
                + "expected a host name without a port, such as example.test, "
                + "\"*.example.test\" or \"[::1]\""
        ),
        (
            "sites: [{ root: /, index: a/b }]",
            "1:27: found 'a/b', expected file names such as index.html"
        ),
        (
            "sites: [{ handlers: [{ path: \"*.php\", files: true }] }]",
            "1:30: found '*.php' in a site without files, expected a 'root' of the site"
        ),
        (
            "sites: [{ handlers: [{ path: /cgi-bin, cgi: true }] }]",
            "1:30: found cgi in a site without files, expected a 'root' of the site"
        ),
        (
            "sites: [{ handlers: [{ path: /f, files: true }] }]",
            "1:30: found files in a site without files, expected a 'root' of the site"
        ),
        (
            "sites: [{ handlers: [{ path: /f, pool: x }] }]",
            "1:40: found the undefined pool 'x', expected it under 'pools'"
        ),
    ])
    func aMistakeInASiteIsExplained(text: String, message: String) {
        expect(text, message)
    }

    @Test(arguments: [
        (
            "{ path: /a }",
            "3:31: found a handler without a target, "
                + "expected one of extension, pool, cgi, files, redirect"
        ),
        (
            "{ path: /a, extension: hello, pool: php }",
            "3:61: found extension and pool, "
                + "expected only one of extension, pool, cgi, files, redirect"
        ),
        (
            "{ path: /a, extension: helo }",
            "3:54: found the undefined extension 'helo', expected one of hello, apart; did you mean 'hello'?"
        ),
        ("{ path: /a, pool: hello }", "3:49: found the undefined pool 'hello', expected php"),
        ("{ path: /a, pool: xyz }", "3:49: found the undefined pool 'xyz', expected php"),
        (
            "{ path: /a/, extension: hello }",
            "3:39: found '/a/', expected \(path); did you mean '/a/*'?"
        ),
        ("{ path: a, extension: hello }", "3:39: found 'a', expected \(path)"),
        ("{ path: \"*\", extension: hello }", "3:39: found '*', expected \(path)"),
        ("{ extension: hello }", "3:31: found a handler without 'path', expected the key 'path'"),
        ("{ path: /a, cgi: false }", "3:48: found 'false', expected true"),
        (
            "{ path: /a, cgi: { time: 1 } }",
            "3:50: found 'time', expected \(cgiKeys)"
        ),
        (
            "{ path: /a, redirect: { location: /b, status: 200 } }",
            "3:77: found '200', expected one of 301, 302, 303, 307, 308"
        ),
        (
            "{ path: /a, redirect: \"/b c\" }",
            "3:53: found '/b c', "
                + "expected a location such as /new or https://example.test/, without blanks"
        ),
        (
            "{ path: /a, extension: hello, request-body: preloaded }",
            "3:75: found 'preloaded', expected one of buffered, preload; did you mean 'preload'?"
        ),
        (
            "{ path: /a, cgi: true, request-body: preload }",
            "3:68: found 'preload' for a handler that is no extension, expected buffered: "
                + "only an extension in the server reads a body still on its way"
        ),
        (
            "{ path: /a, extension: apart, request-body: preload }",
            "3:75: found 'preload' for an extension with thread-safe: false, expected buffered: "
                + "only an extension in the server reads a body still on its way"
        ),
        (
            "{ path: /a, files: true }, { path: /a/*, files: true }",
            "3:66: found '/a/*', which line 3 handles already, expected each path once in a site"
        ),
    ])
    func aMistakeInAHandlerIsExplained(text: String, message: String) {
        let text = """
            extensions: { hello: { library: hello }, apart: { library: x, thread-safe: false } }
            pools: { php: { command: php-cgi } }
            sites: [{ root: /, handlers: [\(text)] }]
            """
        expect(text, message)
    }

    @Test func aConfigurationNeedsSites() {
        expect(
            "threads: { max: 1 }",
            "1:1: found a configuration without 'sites', expected the key 'sites'")
        expect("# nothing", "1:1: found an empty file, expected a configuration with 'sites'")
    }

    @Test func allMistakesOfAFileAreShownAtOnceInItsOrder() {
        let text = """
            threads: { max: 0 }
            pools:
              php: { command: php-cgi, processes: { min: 3, max: 2 } }
            sites:
              - name: main
                root: www
                handlers:
                  - { path: "*.php", pool: pph }
                  - { path: /x }
            timeout: {}
            """
        #expect(
            complaints(about: text) == """
                site.yaml:1:17: found '0', expected a whole number from 1 to 4096
                site.yaml:3:46: found min 3 above max 2, expected min no greater than max
                site.yaml:8:32: found the undefined pool 'pph', expected php; did you mean 'php'?
                site.yaml:9:9: found a handler without a target, expected one of extension, pool, cgi, \
                files, redirect
                site.yaml:10:1: found 'timeout', expected \(keys); did you mean 'timeouts'?
                """)
    }

    @Test func aMistakeSeenThroughAnAliasIsShownOnce() {
        let text = """
            pools:
              a: &a { command: a, processes: 0 }
              b: *a
              c: { <<: *a, queue: 1 }
            sites: [{ root: / }]
            """
        expect(text, "2:34: found '0', expected a whole number from 1 to 1024")
    }

    @Test func complaintsAreBounded() {
        let text = (1...5000).map { "key\($0): 1\n" }.joined()
        #expect(complaints(about: text).split(separator: "\n").count == Report.limit)
        #expect(complaints(about: String(repeating: "k", count: 1 << 20)).utf8.count < 400)
    }

    @Test(arguments: [
        ("::", true), ("::1", true), ("1::", true), ("1:2:3:4:5:6:7:8", true),
        ("1:2:3:4:5:6:7::", true),
        ("::ffff:1.2.3.4", true), ("fe80::1%eth0", false), (":::", false), ("1::2::3", false),
        (":1:2:3:4:5:6:7:8", false), ("1:2:3:4:5:6:7", false), ("12345::", false),
        ("1.2.3.4::", false),
        ("", false), (":", false), ("::1.2.3.04", false),
    ])
    func addressesOfIPv6AreToldFromOthers(text: String, isAddress: Bool) {
        #expect(Address.isIPv6(text) == isAddress)
    }

    private func expect(
        _ text: String, _ message: String, location: SourceLocation = #_sourceLocation
    ) {
        let expected = message.split(separator: "\n").map { "site.yaml:\($0)" }
        #expect(
            complaints(about: text) == expected.joined(separator: "\n"), sourceLocation: location)
    }
}
