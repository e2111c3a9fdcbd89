// Started by root, everything but the supervisor is somebody else, and stays it.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
import Testing
import TestSupport

extension EndToEndTests {
    @Suite(
        "Identity", .serialized, .timeLimit(.minutes(3)),
        .enabled(if: geteuid() == 0, "only root changes users"))
    struct IdentityTests {
        private let site = """
            user: www-data
            extensions:
              hello:   { library: hello, thread-safe: true }
              echo:    { library: echo, thread-safe: false, pool: { processes: 1, user: daemon, umask: 027, nice: 5, oom-score: 321, limits: { open-files: 99, processes: 5000, file-size: 1MiB, cpu-time: 70s, memory: 1GiB, core: 0 } } }
              counter: { library: counter, thread-safe: false, pool: { processes: 1, user: games, new-privileges: true } }
              escapes: { library: ESCAPES, thread-safe: false, settings: { SECRET: geheim }, pool: { processes: 1, user: nobody } }
            sites:
              - name: main
                root: www
                handlers:
                  - { path: /hello,     extension: hello }
                  - { path: /echo,      extension: echo }
                  - { path: /counter,   extension: counter }
                  - { path: /escapes,   extension: escapes }
                  - { path: /cgi-bin/*, cgi: true }
                  - { path: /own/*,     cgi: { user: games, limits: { open-files: 44 } } }
            """
        private let script =
            "#!/bin/sh\nprintf 'Content-Type: text/plain\\r\\n\\r\\n'\nid -un\nulimit -n\n"
            + "grep NoNewPrivs /proc/self/status\n"

        /// A server as `www-data`, whose folder others may enter.
        private func withUsers(
            _ configuration: String? = nil, _ body: (ServerProcess) throws -> Void
        ) throws {
            let folder = try SiteFolder()
            defer { folder.remove() }
            chmod(folder.path, 0o755)
            for (name, text) in plainFiles { try folder.write(name, text) }
            try folder.write("www/cgi-bin/who", script)
            try folder.write("www/own/who", script)
            let text = try (configuration ?? site).replacingOccurrences(
                of: "ESCAPES", with: Package.misbehaving("escapes"))
            let server = try ServerProcess(text, in: folder)
            defer { server.stop() }
            try body(server)
        }

        /// A line of /proc/PID/status: "33 33 33 33".
        private func status(_ key: String, of pid: Int32) -> String? {
            let text = (try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)) ?? ""
            let line = text.split(separator: "\n").first { $0.hasPrefix("\(key):") }
            return line?.dropFirst(key.count + 1).split { $0 == "\t" || $0 == " " }
                .joined(separator: " ")
        }

        private func expect(
            _ pid: Int32, isUser user: String, group: String? = nil, noNewPrivileges: String = "1"
        ) throws {
            let account = try #require(getpwnam(user)).pointee
            let uid = account.pw_uid
            let gid = try group.map { try #require(getgrnam($0)).pointee.gr_gid } ?? account.pw_gid
            #expect(status("Uid", of: pid) == "\(uid) \(uid) \(uid) \(uid)")
            #expect(status("Gid", of: pid) == "\(gid) \(gid) \(gid) \(gid)")
            #expect(status("Groups", of: pid) == "\(gid)", "no group of root's is left")
            #expect(status("NoNewPrivs", of: pid) == noNewPrivileges)
            #expect(status("CapEff", of: pid) == "0000000000000000")
        }

        private func worker(_ name: String, _ server: ServerProcess) throws -> Int32 {
            try #require(server.children(running: " --name \(name) ").first).pid
        }

        @Test func everyProcessIsTheUserOfItsPlace() throws {
            let foreign = """

                pools:
                  foreign: { command: [/bin/sleep, "1000"], processes: 1, start-timeout: 9s, user: games, group: mail }
                """
            try withUsers(site + foreign) { server in
                for path in ["/hello", "/echo", "/counter", "/file.txt"] {
                    #expect(try server.get(path).status == 200, "\(path)")
                }
                #expect(status("Uid", of: server.process.pid) == "0 0 0 0")
                try expect(#require(server.host).pid, isUser: "www-data")
                #expect(eventually { server.spareHosts.count > 0 })
                try expect(#require(server.spareHosts.first).pid, isUser: "www-data")
                try expect(worker("echo", server), isUser: "daemon")
                try expect(worker("counter", server), isUser: "games", noNewPrivileges: "0")
                let foreign = try #require(server.children(running: "/bin/sleep").first).pid
                try expect(foreign, isUser: "games", group: "mail")
            }
        }

        @Test func aScriptIsTheServersUserOrItsHandlersOwn() throws {
            try withUsers { server in
                let common = try server.get("/cgi-bin/who").text.split(separator: "\n")
                #expect(common.first == "www-data")
                #expect(common.last == "NoNewPrivs:\t1")
                #expect(
                    try server.get("/own/who").text == "games\n44\nNoNewPrivs:\t1\n")
            }
        }

        @Test func limitsMaskAndOrderOfAPoolTakeEffect() throws {
            try withUsers { server in
                #expect(try server.get("/echo").status == 200)
                let pid = try worker("echo", server)
                let limits = try String(contentsOfFile: "/proc/\(pid)/limits", encoding: .utf8)
                for (name, value) in [
                    ("Max open files", "99"), ("Max processes", "5000"),
                    ("Max file size", "1048576"), ("Max cpu time", "70"),
                    ("Max data size", "1073741824"), ("Max core file size", "0"),
                ] {
                    let line = try #require(
                        limits.split(separator: "\n").first { $0.hasPrefix(name) })
                    let words = line.dropFirst(name.count).split(separator: " ")
                    #expect(words.prefix(2) == [value[...], value[...]], "\(name)")
                }
                #expect(status("Umask", of: pid) == "0027")
                #expect(getpriority(__priority_which_t(PRIO_PROCESS.rawValue), id_t(pid)) == 5)
                let score = try String(
                    contentsOfFile: "/proc/\(pid)/oom_score_adj", encoding: .utf8)
                #expect(score == "321\n")
            }
        }

        @Test func aSecretStandsNeitherInTheArgumentsNorInTheEnvironment() throws {
            try withUsers { server in
                #expect(try server.get("/escapes?secret").text == "geheim")
                let pid = try worker("escapes", server)
                for file in ["cmdline", "environ"] {
                    let bytes = try #require(
                        FileManager.default.contents(atPath: "/proc/\(pid)/\(file)"))
                    #expect(!bytes.isEmpty)
                    #expect(!String(decoding: bytes, as: UTF8.self).contains("geheim"), "\(file)")
                }
            }
        }

        @Test func nothingOutsideItsWorkerIsWithinAnExtensionsReach() throws {
            try withUsers { server in
                for path in ["/hello", "/counter"] { _ = try server.get(path) }
                try server.site.write("private", "another site's\n")
                chmod(server.site.path + "/private", 0o600)
                let games = try #require(getpwnam("games")).pointee
                chown(server.site.path + "/private", games.pw_uid, games.pw_gid)
                let folder = try #require(server.runtimeFolder)
                let sockets = try FileManager.default.contentsOfDirectory(atPath: folder)
                    .filter { $0.hasPrefix("w") }
                #expect(sockets.count == 3)
                let host = try #require(server.host)
                let sibling = try worker("counter", server)
                for socket in sockets {
                    let query =
                        "\(server.process.pid),\(host.pid),\(sibling),\(server.site.path)/private,"
                        + "\(folder)/\(socket),\(folder)"
                    let said = try server.get("/escapes?\(query)").text
                    #expect(said.split(separator: "\n").count == 24, "\(said)")
                    #expect(!said.contains("COULD"), "\(said)")
                }
                #expect(server.host == host)
                #expect(try worker("counter", server) == sibling)
            }
        }

        @Test func logsAreOpenedAnewByTheHostsUser() throws {
            try withUsers { server in
                _ = try server.get("/hello")
                let path = server.site.path + "/access.log"
                #expect(eventually { server.accessLog.contains("/hello") })
                #expect(rename(path, path + ".1") == 0)
                server.process.signal(SIGUSR1)
                #expect(eventually { FileManager.default.fileExists(atPath: path) })
                #expect(
                    eventually {
                        let answer = try? server.get("/file.txt")
                        return answer?.status == 200 && server.accessLog.contains("/file.txt")
                    }, "\(server.errors)")
                var raw = stat()
                #expect(stat(path, &raw) == 0)
                #expect(raw.st_uid == getpwnam("www-data").pointee.pw_uid)
                #expect(raw.st_mode & 0o777 == 0o640)
            }
        }

        @Test func aDeadHostAndAReloadChangeNothingOfIt() throws {
            try withUsers { server in
                try #require(server.host).kill(SIGKILL)
                #expect(eventually { (try? server.get("/hello"))?.status == 200 })
                try expect(#require(server.host).pid, isUser: "www-data")
                _ = try server.get("/echo")
                let before = try worker("echo", server)
                try server.write(
                    site.replacingOccurrences(
                        of: "ESCAPES", with: Package.misbehaving("escapes")
                    ).replacingOccurrences(of: "user: www-data", with: "# Below\nuser: backup"))
                try server.reload()
                try expect(#require(server.host).pid, isUser: "backup")
                #expect(try server.get("/echo").status == 200)
                #expect(try worker("echo", server) != before, "its socket was another host's")
                #expect(try server.get("/file.txt").status == 200)
            }
        }

        // MARK: refusals

        private func serve(_ text: String, by prefix: [String] = []) throws -> (
            ProcessEnding?, String, SiteFolder
        ) {
            let folder = try SiteFolder()
            chmod(folder.path, 0o755)
            try folder.write("site.yaml", text)
            let words = prefix + [Package.program, "serve", folder.path + "/site.yaml"]
            let run = SpawnedProcessRun(words[0], Array(words.dropFirst()))
            return (run.run(seconds: 8), run.errors, folder)
        }

        @Test func rootServesOnlyWhereTheConfigurationSaysSo() throws {
            let (ending, errors, folder) = try serve("sites: [{ root: www }]\n")
            defer { folder.remove() }
            #expect(ending == .exited(78))
            #expect(errors.contains("root starts this server, and nothing says as whom it serves"))
        }

        @Test func aUserWhoIsNoneIsNamedWithItsPlace() throws {
            let text = "user: daemon\npools:\n  x: { command: [x], user: nobody-of-that-name }\n"
            let (ending, errors, folder) = try serve(text + "sites: [{ root: www }]\n")
            defer { folder.remove() }
            let line =
                "site.yaml:3:28: found the unknown user 'nobody-of-that-name', "
                + "expected a user of this system"
            #expect(ending == .exited(78))
            #expect(errors.contains(line), "\(errors)")
            let check = SpawnedProcessRun(Package.program, ["check", folder.path + "/site.yaml"])
            #expect(check.run() == .exited(78))
            #expect(check.errors.contains(line), "\(check.errors)")
        }

        /// Root without the right to change users: what was to be another user's is never executed.
        @Test func aFailingDropNeverRunsTheProgram() throws {
            let port = ServerProcess.freePort()
            let folder = try SiteFolder()
            defer { folder.remove() }
            try folder.write("program", "#!/bin/sh\necho ran > \(folder.path)/ran\n")
            let text = """
                listen: [127.0.0.1:\(port)]
                user: root
                pools: { x: { command: [./program], processes: 1, user: nobody } }
                sites: [{ root: www }]
                """
            chmod(folder.path, 0o777)
            try folder.write("site.yaml", text)
            let process = try SpawnedProcess(
                "/usr/bin/env",
                [
                    "setpriv", "--bounding-set=-setuid", Package.program, "serve",
                    folder.path + "/site.yaml",
                ], output: folder.path + "/output", errors: folder.path + "/errors")
            #expect(
                eventually {
                    folder.text("errors").contains(
                        "could not be started: \(folder.path)/program: setresuid: "
                            + "Operation not permitted (errno 1)")
                }, "\(folder.text("errors"))")
            process.signal(SIGTERM)
            #expect(process.wait(seconds: 30) == .exited(0))
            #expect(!FileManager.default.fileExists(atPath: folder.path + "/ran"))
        }

        @Test func aLibraryThatAnybodyMayChangeIsNotLoaded() throws {
            let folder = try SiteFolder()
            defer { folder.remove() }
            let library = folder.path + "/open.so"
            try FileManager.default.copyItem(
                atPath: Package.products + "/libhello.so", toPath: library)
            chmod(library, 0o666)
            try folder.write(
                "site.yaml",
                "extensions: { open: { library: ./open.so } }\nsites: [{ root: www }]\n")
            let check = SpawnedProcessRun(Package.program, ["check", folder.path + "/site.yaml"])
            #expect(check.run() == .exited(1))
            #expect(
                check.errors.contains(
                    "anybody may write to \(library) (mode 0666); chmod o-w \(library)"),
                "\(check.errors)")
            chmod(library, 0o644)
            chmod(folder.path, 0o777)
            #expect(check.run() == .exited(1))
            #expect(
                check.errors.contains("anybody may write to its folder \(folder.path) (mode 0777)"),
                "\(check.errors)")
            chmod(folder.path, 0o1777)
            #expect(check.run() == .exited(0), "\(check.errors)")
        }
    }
}
