// What every key of a configuration becomes.
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Configuration

struct SettingsTests {
    /// The example of the documentation, as it is shown there.
    static let example = """
        listen: [127.0.0.1:8080]
        extension-directories: [../../Plugins]        # besides the program's own directory

        extensions:
          hello:   { library: hello, thread-safe: true }
          counter: { library: counter, thread-safe: false, pool: { processes: 4, max-requests: 10000 } }

        pools:
          php:
            command: [php-cgi]
            processes: { min: 1, max: 8 }

        sites:
          - name: main
            hosts: [localhost, "*.example.test"]
            root: www
            handlers:
              - { path: /hello,   extension: hello }
              - { path: /counter, extension: counter }
              - { path: "*.php",  pool: php }
              - { path: /cgi-bin/*, cgi: true }
        """

    @Test func theExampleOfTheDocumentationIsRead() throws {
        let settings = try read(Self.example)
        #expect(settings.listeners == [.tcp(host: "127.0.0.1", port: 8080)])
        #expect(settings.pools.map(\.name) == ["php", "hello", "counter"])
        #expect(settings.pools[0].program == .command(["php-cgi"]))
        #expect(settings.pools[0].minimum == 1 && settings.pools[0].maximum == 8)
        #expect(settings.pools[2].program == .worker(extension: "counter"))
        #expect(settings.pools[2].minimum == 4 && settings.pools[2].maximum == 4)
        #expect(settings.pools[2].maxRequests == 10000)
        #expect(settings.extensions.map(\.threadSafe) == [true, false])
        #expect(settings.extensions.map(\.pool) == [1, 2])
        #expect(settings.extensions[0].directories == ["/Plugins", "/opt"])
        let site = try #require(settings.sites.first)
        #expect(site.name == "main" && site.root == "/srv/www")
        #expect(site.hosts == ["localhost", "*.example.test"])
        #expect(site.index == ["index.html", "index.php"])
        #expect(
            site.handlers == [
                .init(pattern: .prefix("/hello"), target: .extension(0), line: 18),
                .init(pattern: .prefix("/counter"), target: .extension(1), line: 19),
                .init(pattern: .suffix(".php"), target: .pool(0), line: 20),
                .init(pattern: .prefix("/cgi-bin"), target: .cgi(.init()), line: 21),
            ])
    }

    @Test func whatIsNotWrittenHasItsDefault() throws {
        let settings = try read("sites: [{ root: /www }]")
        var expected = Settings()
        expected.listeners = [.tcp(host: "127.0.0.1", port: 8080)]
        var site = Settings.Site(name: "site-1")
        site.root = "/www"
        expected.sites = [site]
        #expect(settings == expected)
    }

    @Test func aPoolOfAnExtensionStartsNothingBeforeItIsNeeded() throws {
        let settings = try read(
            """
            extensions:
              declared: { library: ./a.so }
              safe: { library: /lib/b.so, thread-safe: true, pool: { processes: 3 } }
              unsafe: { library: c, thread-safe: false }
            sites: [{ root: . }]
            """)
        #expect(settings.pools.map(\.minimum) == [0, 0, 1])
        #expect(settings.pools.map(\.maximum) == [4, 3, 4])
        #expect(settings.extensions.map(\.library) == ["/srv/a.so", "/lib/b.so", "c"])
        #expect(settings.sites[0].root == "/srv")
    }

    @Test func everyKeyOfTheServerIsRead() throws {
        let settings = try read(
            """
            listen: ["[::1]:81", "82", "unix:run/x.sock", 10.0.0.1:0]
            threads: { min: 2, max: 8 }
            limits:
              request-line: 4KiB
              head: 32 KiB
              fields: 50
              body: 10MB
              body-in-memory: 1000
              temporary-folder: tmp
              connections: 100
              response-buffer: 2MiB
            timeouts: { head: 500ms, body: 2, keep-alive: 0, send: 1.5s, request: 5m, drain: 1h, queue: 9s }
            logs: { access: none, error: log/error.log }
            sites: [{ root: /www }]
            """)
        #expect(
            settings.listeners == [
                .tcp(host: "::1", port: 81), .tcp(host: "0.0.0.0", port: 82),
                .unix(path: "/srv/run/x.sock"), .tcp(host: "10.0.0.1", port: 0),
            ])
        #expect(settings.threads.min == 2 && settings.threads.max == 8)
        var limits = Settings.Limits()
        limits.requestLine = 4096
        limits.head = 32768
        limits.fields = 50
        limits.body = 10_000_000
        limits.bodyInMemory = 1000
        limits.temporaryFolder = "/srv/tmp"
        limits.connections = 100
        limits.responseBuffer = 2 << 20
        #expect(settings.limits == limits)
        var timeouts = Settings.Timeouts()
        timeouts.head = 0.5
        timeouts.body = 2
        timeouts.keepAlive = 0
        timeouts.send = 1.5
        timeouts.queue = 9
        timeouts.request = 300
        timeouts.drain = 3600
        #expect(settings.timeouts == timeouts)
        #expect(settings.logs.access == nil && settings.logs.error == "/srv/log/error.log")
    }

    @Test func everyKeyOfAPoolIsRead() throws {
        let settings = try read(
            """
            pools:
              app:
                command: ./bin/app  --port 0
                processes: 2
                max-requests: 500
                recycle: { after: 6h, at: ["15:30", 03:00, "03:00"], memory: 1GiB, descriptors: 900 }
                idle-timeout: 1m
                activity-timeout: 2m
                request-timeout: 3m
                start-timeout: 5s
                queue: { length: 7, timeout: 250ms }
                environment: { MODE: production, EMPTY: , NUMBER: 1.10 }
                folder: work
            sites: [{ handlers: [{ path: /, pool: app }] }]
            """)
        var pool = Settings.Pool(name: "app", program: .command(["/srv/bin/app", "--port", "0"]))
        pool.minimum = 2
        pool.maximum = 2
        pool.maxRequests = 500
        pool.recycling.after = 21600
        pool.recycling.at = [180, 930]
        pool.recycling.memory = 1 << 30
        pool.recycling.descriptors = 900
        pool.idleTimeout = 60
        pool.activityTimeout = 120
        pool.requestTimeout = 180
        pool.startTimeout = 5
        pool.queue = 7
        pool.queueTimeout = 0.25
        pool.environment = [
            .init(name: "MODE", value: "production"), .init(name: "EMPTY", value: ""),
            .init(name: "NUMBER", value: "1.10"),
        ]
        pool.folder = "/srv/work"
        #expect(settings.pools == [pool])
    }

    @Test func everyKeyOfAnExtensionAndASiteIsRead() throws {
        let settings = try read(
            """
            extensions:
              a:
                library: a
                pool: { queue: 3 }
                settings: { COLOUR: "no", api-key: 0123 }
            sites:
              - name: one
                hosts: ONE.test
                root: one
                index: start.html
                handlers:
                  - { path: "*.a", extension: a }
                  - { path: /old/*, redirect: /new }
                  - { path: /gone, redirect: { location: "https://example.test/", status: 308 } }
                  - { path: /downloads, files: true }
                  - path: "*.pl"
                    cgi: { timeout: 5, concurrency: 2, environment: { A: b }, interpreter: perl }
              - handlers: [{ path: /*, extension: a }]
            """)
        #expect(
            settings.extensions[0].settings == [
                .init(name: "COLOUR", value: "no"), .init(name: "api-key", value: "0123"),
            ])
        #expect(settings.pools[0].queue == 3)
        #expect(settings.sites[0].hosts == ["one.test"])
        #expect(settings.sites[0].index == ["start.html"])
        var cgi = Settings.CGI()
        cgi.timeout = 5
        cgi.concurrency = 2
        cgi.environment = [.init(name: "A", value: "b")]
        cgi.interpreter = "perl"
        #expect(
            settings.sites[0].handlers.map(\.target) == [
                .extension(0), .redirect(status: 302, location: "/new"),
                .redirect(status: 308, location: "https://example.test/"), .files, .cgi(cgi),
            ])
        #expect(settings.sites[1].name == "site-2" && settings.sites[1].hosts.isEmpty)
        #expect(settings.sites[1].handlers[0].pattern == .prefix("/"))
    }

    @Test func aBodyIsReceivedBeforeItsHandlerUnlessTheMappingSaysPreload() throws {
        let settings = try read(
            """
            extensions: { a: { library: a } }
            sites:
              - handlers:
                  - { path: /a, extension: a }
                  - { path: /b, extension: a, request-body: buffered }
                  - { path: /c, extension: a, request-body: preload }
            """)
        #expect(settings.sites[0].handlers.map(\.preloadsBody) == [false, false, true])
    }

    @Test func aliasesAndMergedMappingsShareWhatIsWrittenOnce() throws {
        let settings = try read(
            """
            pools:
              a: &base { command: [a], queue: 5, processes: 2 }
              b: { <<: *base, command: [b], processes: 3 }
            sites: [{ root: /www }]
            """)
        #expect(settings.pools[1].program == .command(["b"]))
        #expect(settings.pools[1].queue == 5 && settings.pools[1].maximum == 3)
    }

    @Test func aByteOrderMarkAndWindowsLineEndsAreNoMatter() throws {
        let text = Self.example.split(separator: "\n", omittingEmptySubsequences: false)
            .joined(separator: "\r\n")
        #expect(try read("\u{FEFF}" + text) == read(Self.example))
    }
}
