// The service manager beside the server: what it hears, and what it hands over.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
import Testing
import TestSupport

extension EndToEndTests {
    @Suite("Service manager", .serialized, .timeLimit(.minutes(5)))
    struct SystemdTests {
        private let site: SiteFolder
        private let port = ServerProcess.freePort()

        init() throws {
            site = try SiteFolder()
            for (name, text) in plainFiles { try site.write(name, text) }
        }

        private func serve(
            _ variables: [String], _ configuration: String = plainSite,
            _ sockets: [TestSocket] = []
        ) throws -> ServerProcess {
            try ServerProcess(
                configuration, in: site, port: port,
                preparation: variables.map { "export \($0); " }.joined(),
                descriptors: sockets.map(\.number))
        }

        private func listening(_ addresses: [String]) -> String {
            "listen: [\(addresses.map { "\"\($0)\"" }.joined(separator: ", "))]\n" + plainSite
        }

        // MARK: What it hears

        @Test(arguments: [false, true])
        func theManagerHearsOfStartReloadsAndStop(isAbstract: Bool) throws {
            defer { site.remove() }
            let address = (isAbstract ? "@" : "") + site.path + "/notify"
            let ear = try ManagerEar(address)
            let server = try serve(["NOTIFY_SOCKET=\(address)"])
            defer { server.stop() }
            #expect(ear.next() == "READY=1\nSTATUS=serving on 127.0.0.1:\(port)")
            let before = now()
            server.process.signal(SIGHUP)
            let reloading = try #require(ear.next()).split(separator: "\n")
            #expect(reloading.first == "RELOADING=1")
            let time = reloading.dropFirst().first?.split(separator: "=")
            #expect(time?.first == "MONOTONIC_USEC")
            #expect((time?.last.flatMap { UInt64($0) } ?? 0) >= before)
            let inForce = try #require(ear.next())
            #expect(inForce.hasPrefix("READY=1\nSTATUS=the new configuration is in force"))
            try server.write("nonsense: 1")
            server.process.signal(SIGHUP)
            #expect(ear.next()?.hasPrefix("RELOADING=1\n") == true)
            let refused = try #require(ear.next())
            #expect(refused.hasPrefix("READY=1\nSTATUS=the old configuration stays: "))
            #expect(refused.contains("found 'nonsense'"))
            server.process.signal(SIGTERM)
            #expect(ear.next()?.hasPrefix("STOPPING=1\nEXTEND_TIMEOUT_USEC=") == true)
            #expect(server.process.wait(seconds: 60) == .exited(0))
            #expect(ear.next(seconds: 0) == nil)
        }

        /// As the server counts it: CLOCK_MONOTONIC.
        private func now() -> UInt64 {
            var time = timespec()
            clock_gettime(CLOCK_MONOTONIC, &time)
            return UInt64(time.tv_sec) * 1_000_000 + UInt64(time.tv_nsec) / 1000
        }

        @Test func aServerThatLivesShowsItAndASupervisorThatStandsDoesNot() throws {
            defer { site.remove() }
            let ear = try ManagerEar(site.path + "/notify")
            let server = try serve([
                "NOTIFY_SOCKET=\(site.path)/notify", "WATCHDOG_USEC=400000", "WATCHDOG_PID=$$",
            ])
            defer { server.stop() }
            for _ in 0..<3 { #expect(ear.hearsLife(within: 30)) }
            server.process.signal(SIGSTOP)
            usleep(100_000)
            ear.drain()
            #expect(!ear.hearsLife(within: 1.5))
            server.process.signal(SIGCONT)
            #expect(ear.hearsLife(within: 30))
        }

        @Test func aServerWithoutAHostThatServesShowsNoLife() throws {
            defer { site.remove() }
            let ear = try ManagerEar(site.path + "/notify")
            let held = try Package.misbehaving("held-load")
            let configuration = plainSite.replacing(
                "extensions:",
                with: "spare: false\nextensions:\n  held: { library: \(held), thread-safe: true }")
            let server = try serve(
                ["NOTIFY_SOCKET=\(site.path)/notify", "WATCHDOG_USEC=400000"], configuration)
            defer { server.stop() }
            #expect(ear.hearsLife(within: 30))
            let hold = try #require(server.runtimeFolder) + "/hold"
            #expect(FileManager.default.createFile(atPath: hold, contents: nil))
            let before = try #require(server.host)
            before.kill(SIGKILL)
            #expect(eventually { server.errors.contains("another starts now") })
            ear.drain()
            #expect(!ear.hearsLife(within: 1.5))
            unlink(hold)
            #expect(ear.next() == "STATUS=serving again on 127.0.0.1:\(port)")
            #expect(ear.hearsLife(within: 30))
        }

        @Test func theWatchdogOfAnotherProcessIsNotOurs() throws {
            defer { site.remove() }
            let ear = try ManagerEar(site.path + "/notify")
            let server = try serve([
                "NOTIFY_SOCKET=\(site.path)/notify", "WATCHDOG_USEC=100000", "WATCHDOG_PID=1",
            ])
            defer { server.stop() }
            #expect(ear.next()?.hasPrefix("READY=1\n") == true)
            #expect(!ear.hearsLife(within: 1))
        }

        @Test func aManagerThatIsGoneOrStrangeStopsNobody() throws {
            defer { site.remove() }
            for address in [site.path + "/nobody", "vsock:2:1234"] {
                let server = try serve(["NOTIFY_SOCKET=\(address)", "WATCHDOG_USEC=soon"])
                defer { server.stop() }
                #expect(try server.get("/hello").status == 200)
            }
            let errors = site.text("errors.log")
            #expect(errors.contains("the service manager at vsock:2:1234 hears nothing"))
            #expect(errors.contains("WATCHDOG_USEC is soon, which is no time"))
        }

        @Test func whatTheManagerSaysIsNotForChildren() throws {
            defer { site.remove() }
            let ear = try ManagerEar(site.path + "/notify")
            let socket = try TestSocket.tcp(port)
            let server = try serve(
                [
                    "NOTIFY_SOCKET=\(site.path)/notify", "WATCHDOG_USEC=60000000",
                    "WATCHDOG_PID=$$", "LISTEN_PID=$$", "LISTEN_FDS=1", "LISTEN_FDNAMES=http",
                ], plainSite, [socket])
            defer { server.stop() }
            #expect(ear.next() != nil)
            #expect(try server.get("/counter").status == 200)
            let script = try server.get("/cgi-bin/env")
            for name in ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS"] {
                #expect(!String(decoding: script.body, as: UTF8.self).contains(name))
                for child in server.children {
                    #expect(ProcessTree.variable(name, of: child.identity.pid) == nil)
                }
            }
        }

        // MARK: What it hands over

        @Test func inheritedSocketsAreTakenByAddressAndOthersClosedWithALine() throws {
            defer { site.remove() }
            let path = site.path + "/inherited.sock"
            let other = ServerProcess.freePort()
            let sockets = [
                try TestSocket.unix(path, SOCK_STREAM, listens: true), try TestSocket.tcp(port),
                try TestSocket.tcp(other), try TestSocket.tcp(port, isSix: true),
                try TestSocket.unix(site.path + "/datagrams", SOCK_DGRAM),
                try TestSocket.unix(site.path + "/deaf", SOCK_STREAM),
            ]
            let server = try serve(
                [
                    "LISTEN_PID=$$", "LISTEN_FDS=7", "LISTEN_FDNAMES=local:web:spare:six:a:b:c",
                ], listening(["127.0.0.1:\(port)", "[::1]:\(port)", "unix:\(path)"]), sockets)
            #expect(try server.get("/hello").status == 200)
            let local = SpawnedProcessRun(
                "/usr/bin/env",
                ["curl", "-s", "--unix-socket", path, "http://localhost/", "http://[::1]:\(port)/"])
            if local.run() == .exited(0) { #expect(local.output.hasPrefix("home\n")) }
            let errors = server.errors
            for line in [
                "127.0.0.1:\(port) is the socket 'web' of the service manager",
                "[::1]:\(port) is the socket 'six' of the service manager",
                "unix:\(path) is the socket 'local' of the service manager",
                "the inherited socket 'spare' at 127.0.0.1:\(other) is closed: no 'listen'",
                "the inherited descriptor 7 is no stream socket; it is closed",
                "the inherited descriptor 8 is a socket that does not listen; it is closed",
                "LISTEN_FDS promises 7 descriptors, but 9 is not open",
            ] { #expect(errors.contains(line), "\(line)\n\(errors)") }
            server.stop()
            #expect(FileManager.default.fileExists(atPath: path))
        }

        @Test func whoComesBetweenTwoServersIsAnsweredByTheSecond() throws {
            defer { site.remove() }
            let socket = try TestSocket.tcp(port)
            let variables = ["LISTEN_PID=$$", "LISTEN_FDS=1"]
            let first = try serve(variables, plainSite, [socket])
            #expect(try first.get("/hello").status == 200)
            first.stop()
            let waiting = try RawClient(port: port)
            let second = try serve(variables, plainSite, [socket])
            defer { second.stop() }
            #expect(try waiting.exchange("GET", "/hello").status == 200)
        }

        @Test func withoutAManagersSocketWhoComesAtTheStopIsRefused() throws {
            try withServer(plainSite, files: plainFiles) { server in
                let busy = try server.client()
                try busy.send("GET /hello HTTP/1.1\r\nHo")
                usleep(100_000)
                server.process.signal(SIGTERM)
                #expect(eventually { (try? server.client()) == nil })
                try busy.send("st: x\r\n\r\n")
                #expect(try busy.response().status == 200)
            }
        }

        @Test func aReloadLetsGoOfAnInheritedSocketAndTakesItAgain() throws {
            defer { site.remove() }
            let second = ServerProcess.freePort()
            let sockets = [try TestSocket.tcp(port), try TestSocket.tcp(second)]
            let both = listening(["127.0.0.1:\(port)", "127.0.0.1:\(second)"])
            let server = try serve(["LISTEN_PID=$$", "LISTEN_FDS=2"], both, sockets)
            defer { server.stop() }
            try server.write(listening(["127.0.0.1:\(port)"]))
            try server.reload()
            #expect(
                server.errors.contains("nobody listens on 127.0.0.1:\(second) any more, but the"))
            let waiting = try RawClient(port: second)
            try server.write(both)
            try server.reload()
            #expect(try waiting.exchange("GET", "/hello").status == 200)
        }

        @Test func socketsForAnotherProcessAreNotTaken() throws {
            defer { site.remove() }
            let socket = try TestSocket.tcp(ServerProcess.freePort())
            let server = try serve(["LISTEN_PID=1", "LISTEN_FDS=1"], plainSite, [socket])
            defer { server.stop() }
            #expect(try server.get("/hello").status == 200)
            #expect(!server.errors.contains("inherited"))
        }

        /// systemd's own program opens the sockets and becomes the server with the first connection.
        @Test func systemdSocketActivateStartsIt() throws {
            defer { site.remove() }
            try site.write(
                "site.yaml",
                listening(["127.0.0.1:\(port)", "unix:\(site.path)/local"]) + "\nuser: root\n")
            let process = try SpawnedProcess(
                "/usr/bin/env",
                [
                    "systemd-socket-activate", "-l", "127.0.0.1:\(port)", "-l",
                    "\(site.path)/local", "--fdname=web:local", Package.program, "serve",
                    "\(site.path)/site.yaml",
                ],
                output: site.path + "/output.log", errors: site.path + "/errors.log")
            defer {
                process.signal(SIGTERM)
                #expect(process.wait(seconds: 60) == .exited(0), "\(site.text("errors.log"))")
            }
            let isAnswered = eventually {
                (try? RawClient(port: port).exchange("GET", "/hello"))?.status == 200
            }
            #expect(isAnswered, "\(site.text("errors.log"))")
            #expect(
                site.text("errors.log").contains("is the socket 'local' of the service manager"))
        }

        // MARK: The unit

        /// The unit in a root where its program is: nothing to complain of.
        @Test func theUnitIsVerifiedAndHardened() throws {
            defer { site.remove() }
            let units = site.path + "/root/etc/systemd/system"
            try site.write("root/usr/bin/mortise", "#!/bin/sh\n")
            for unit in ["mortise.service", "mortise.socket"] {
                let file = "\(Package.folder)/examples/deployment/systemd/\(unit)"
                try site.write(
                    "root/etc/systemd/system/\(unit)",
                    try String(contentsOfFile: file, encoding: .utf8))
            }
            let verify = SpawnedProcessRun(
                "/usr/bin/env",
                [
                    "systemd-analyze", "verify", "--man=no", "--recursive-errors=no",
                    "--root=\(site.path)/root", "\(units)/mortise.service",
                    "\(units)/mortise.socket",
                ])
            #expect(verify.run() == .exited(0))
            #expect(verify.output + verify.errors == "")
            let security = SpawnedProcessRun(
                "/usr/bin/env",
                [
                    "systemd-analyze", "security", "--offline=true", "--threshold=20",
                    "\(Package.folder)/examples/deployment/systemd/mortise.service",
                ])
            #expect(security.run() == .exited(0), "\(security.output.suffix(200))")
        }
    }
}
