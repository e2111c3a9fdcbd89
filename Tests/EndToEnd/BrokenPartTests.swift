// What is broken answers 503 and says so once; the rest of the site runs.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing
import TestSupport

extension EndToEndTests {
    @Suite("Broken parts", .serialized, .timeLimit(.minutes(3)))
    struct BrokenPartTests {
        private func expectDisabled(_ extensions: [String: String], pools: [String: String] = [:])
            throws
        {
            var site = "extensions:\n  hello: { library: hello, thread-safe: true }\n"
            for (name, value) in extensions { site += "  \(name): \(value)\n" }
            site += "pools:\n  spare: { command: [sh], processes: { min: 0, max: 1 } }\n"
            for (name, value) in pools { site += "  \(name): \(value)\n" }
            site += "sites:\n  - name: main\n    root: www\n    handlers:\n"
            site += "      - { path: /hello, extension: hello }\n"
            for name in extensions.keys {
                site += "      - { path: /\(name), extension: \(name) }\n"
            }
            for name in pools.keys { site += "      - { path: /\(name), pool: \(name) }\n" }
            let files = plainFiles.merging(["junk.so": "no ELF\n"]) { $1 }
            try withServer(site, files: files) { server in
                for name in Array(extensions.keys) + Array(pools.keys) {
                    for _ in 0..<3 {
                        let response = try server.get("/\(name)")
                        #expect(response.status == 503, "\(name): \(response.status)")
                    }
                    #expect(server.errors.contains(name), "\(name) is not in the error log")
                }
                #expect(try server.get("/hello").status == 200)
                #expect(try server.get("/file.txt").status == 200)
            }
        }

        @Test func anExtensionThatCannotBeLoadedIsUnavailable() throws {
            let empty = try Package.misbehaving("empty")
            let refuses = try Package.misbehaving("refuses")
            var extensions: [String: String] = [:]
            for (home, flag) in [("inside", "true"), ("outside", "false")] {
                extensions["junk-\(home)"] = "{ library: ./junk.so, thread-safe: \(flag) }"
                extensions["missing-\(home)"] = "{ library: ./missing.so, thread-safe: \(flag) }"
                extensions["empty-\(home)"] = "{ library: \(empty), thread-safe: \(flag) }"
                extensions["refuses-\(home)"] = "{ library: \(refuses), thread-safe: \(flag) }"
            }
            try expectDisabled(extensions)
        }

        @Test func aLibraryThatHangsOrDiesWhileItIsLoadedIsDisabledAlone() throws {
            let spins = try Package.misbehaving("spins")
            let dies = try Package.misbehaving("dies")
            let extensions = [
                "spins": "{ library: \(spins), thread-safe: true }",
                "dies": "{ library: \(dies), thread-safe: true }",
            ]
            try expectDisabled(extensions)
            // The same probe answers the operator, with the same patience and the same words.
            let site = try SiteFolder()
            defer { site.remove() }
            try site.write(
                "site.yaml",
                "extensions:\n" + extensions.map { "  \($0): \($1)\n" }.joined()
                    + "sites: [{ root: www }]\n")
            let run = SpawnedProcessRun(Package.program, ["check", site.path + "/site.yaml"])
            #expect(run.run() == .exited(1))
            let said = run.output + run.errors
            #expect(said.contains("extension spins: loading it took longer than 5 s"))
            #expect(said.contains("extension dies: loading it crashed the process with signal 11"))
        }

        @Test func anExtensionThatDoesNotLeaveIsNotToBlameForItsLoading() throws {
            let lingers = try Package.misbehaving("lingers")
            let site = try SiteFolder()
            defer { site.remove() }
            try site.write(
                "site.yaml",
                "extensions: { lingers: { library: \(lingers) } }\nsites: [{ root: www }]\n")
            for command in [["check", site.path + "/site.yaml"], ["inspect", lingers]] {
                let run = SpawnedProcessRun(Package.program, command)
                #expect(run.run() == .exited(0), "\(run.errors)")
                // It says itself that it is thread-safe, which counts.
                let words = ["called in the server", "yes, it says so itself"]
                #expect(words.contains { run.output.contains($0) }, "\(run.output)")
            }
        }

        @Test func aPoolWhoseProgramIsMissingOrFailsIsUnavailable() throws {
            try expectDisabled(
                [:],
                pools: [
                    "absent": "{ command: [/nonexistent/program], processes: 1 }",
                    "failing": "{ command: [sh, -c, \"exit 1\"], processes: 1, start-timeout: 2 }",
                ])
        }

        @Test func anExtensionThatDeclaresNothingRunsIsolated() throws {
            let site = """
                extensions:
                  echo:    { library: echo }
                  counter: { library: counter }
                sites:
                  - { name: main, root: www, handlers: [{ path: /echo, extension: echo }, { path: /counter, extension: counter }] }
                """
            try withServer(site, files: plainFiles) { server in
                // echo declares that it is thread-safe, counter says nothing.
                #expect(try server.get("/echo").text.contains("\"inProcess\": 0,"))
                let host = try #require(server.host)
                #expect(try !server.get("/counter").text.contains("\"pid\": \(host.pid),"))
            }
        }

        @Test func checkNamesFileLineAndWhatWasMeant() throws {
            let site = try SiteFolder()
            defer { site.remove() }
            try site.write(
                "site.yaml", "listen: [127.0.0.1:1]\nsites:\n  - name: main\n    rot: www\n")
            let run = SpawnedProcessRun(Package.program, ["check", site.path + "/site.yaml"])
            #expect(run.run() == .exited(78))
            let said = run.output + run.errors
            #expect(said.contains("site.yaml:4"))
            #expect(said.contains("root"))
        }

        @Test func checkReportsWhatIsMissing() throws {
            let site = try SiteFolder()
            defer { site.remove() }
            try site.write(
                "site.yaml",
                """
                extensions: { broken: { library: ./nothing.so } }
                pools: { php: { command: [no-such-program-anywhere] } }
                sites:
                  - { name: main, root: www, handlers: [{ path: /b, extension: broken }, { path: "*.php", pool: php }] }
                """)
            let run = SpawnedProcessRun(Package.program, ["check", site.path + "/site.yaml"])
            #expect(run.run() == .exited(1))
            let said = run.output + run.errors
            #expect(said.contains("broken"))
            #expect(said.contains("no-such-program-anywhere"))
        }

        @Test func checkIsContentWithTheExample() throws {
            let run = SpawnedProcessRun(
                Package.program, ["check", Package.folder + "/examples/mixed-site/site.yaml"])
            #expect(run.run() == .exited(0), "\(run.output)\(run.errors)")
        }

        @Test func inspectTellsWhatAnExtensionIs() throws {
            let hello = SpawnedProcessRun(
                Package.program, ["inspect", Package.products + "/libhello.so"])
            #expect(hello.run() == .exited(0))
            for word in ["Hello: the smallest extension", "HttpExtensionProc", "libc.so.6"] {
                #expect(hello.output.contains(word), "\(word) in\n\(hello.output)")
            }
            let junk = SpawnedProcessRun(
                Package.program, ["inspect", Package.folder + "/Package.swift"])
            #expect(junk.run() == .exited(1))
            for (name, words) in [("spins", "took longer than 5 s"), ("dies", "signal 11")] {
                let run = SpawnedProcessRun(
                    Package.program, ["inspect", try Package.misbehaving(name)])
                #expect(run.run() == .exited(1))
                #expect((run.output + run.errors).contains(words), "\(run.output)\(run.errors)")
            }
        }
    }
}
