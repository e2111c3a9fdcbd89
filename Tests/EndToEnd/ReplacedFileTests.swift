// An extension's file is overwritten while it serves.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
import Testing
import TestSupport

extension EndToEndTests {
    @Suite("Replaced files", .serialized, .timeLimit(.minutes(2)))
    struct ReplacedFileTests {
        private let site = """
            extensions:
              inside:  { library: LIBRARY, thread-safe: true }
              outside: { library: LIBRARY, thread-safe: false, pool: { processes: 1 } }
            sites:
              - name: main
                root: www
                handlers:
                  - { path: /inside,  extension: inside }
                  - { path: /outside, extension: outside }
            """

        @Test func aTruncatedLibraryHurtsNobodyAndAReloadBringsTheNewOne() throws {
            let original = try Package.misbehaving("unruly")
            let library = FileManager.default.temporaryDirectory
                .appendingPathComponent("mortise-replaced-\(getpid()).so").path
            try? FileManager.default.removeItem(atPath: library)
            try FileManager.default.copyItem(atPath: original, toPath: library)
            defer { try? FileManager.default.removeItem(atPath: library) }
            let text = site.replacingOccurrences(of: "LIBRARY", with: library)
            try withServer(text, files: plainFiles) { server in
                for home in ["/inside", "/outside"] {
                    #expect(try server.get(home).text == "ready\n")
                }
                // In place: the same inode, whose pages a mapping of the file would lose.
                #expect(truncate(library, 0) == 0)
                for home in ["/inside", "/outside"] {
                    #expect(try server.get(home).text == "ready\n")
                }
                let hello = try Data(
                    contentsOf: URL(fileURLWithPath: Package.products + "/libhello.so"))
                try hello.write(to: URL(fileURLWithPath: library))
                try server.reload()
                for home in ["/inside", "/outside"] {
                    #expect(try server.get(home).text == "Hello, world\n")
                }
            }
        }

        /// A server whose two extensions are one file, a copy of that library.
        private func withLibrary(
            _ original: String, watch: Bool = false,
            _ body: (_ server: ServerProcess, _ replace: (String?) throws -> Void) throws -> Void
        ) throws {
            let library = FileManager.default.temporaryDirectory
                .appendingPathComponent("mortise-version-\(getpid())-\(UUID().uuidString).so").path
            // In place, as cp(1) does it: the same inode.
            let replace = { (source: String?) in
                let bytes = try source.map { try Data(contentsOf: URL(fileURLWithPath: $0)) }
                if !FileManager.default.fileExists(atPath: library) {
                    _ = FileManager.default.createFile(atPath: library, contents: nil)
                }
                let file = try FileHandle(forWritingTo: URL(fileURLWithPath: library))
                try file.truncate(atOffset: 0)
                try file.write(contentsOf: bytes ?? Data())
                try file.close()
            }
            try replace(original)
            defer { try? FileManager.default.removeItem(atPath: library) }
            let text = site.replacingOccurrences(
                of: "LIBRARY,", with: "\(library), watch: \(watch),")
            try withServer(text, files: plainFiles) { server in try body(server, replace) }
        }

        private let homes = ["/inside", "/outside"]
        private let hello = Package.products + "/libhello.so"

        @Test func aBrokenFileReplacesNothingWhoeverDiesMeanwhile() throws {
            try withLibrary(hello) { server, replace in
                for broken in [nil, "/bin/sh", Package.products + "/libecho.so"] as [String?] {
                    try replace(broken)
                    // Hosts, spare hosts and workers: what comes after them loads what was tried.
                    for _ in 0..<3 {
                        for process in server.hosts + server.children(running: " worker ") {
                            process.kill(SIGKILL)
                        }
                        for home in homes {
                            #expect(
                                eventually {
                                    (try? server.get(home))?.text == "Hello, world\n"
                                }, "\(server.errors)")
                        }
                    }
                    guard broken != Package.products + "/libecho.so" else { continue }
                    try server.reload()
                    for home in homes {
                        #expect(try server.get(home).text == "Hello, world\n")
                    }
                    #expect(server.errors.contains("its new file is not used"))
                }
            }
        }

        @Test func aWatchedFileIsReplacedUnderLoadAndCostsNoRequest() throws {
            try withLibrary(try Package.misbehaving("faults/null"), watch: true) {
                server, replace in
                let loads = homes.map {
                    Load(.init(port: server.port, target: $0, clients: 4))
                }
                for load in loads { load.waitFor(answers: 50) }
                try replace(hello)
                for home in homes {
                    #expect(
                        eventually { (try? server.get(home))?.text == "Hello, world\n" },
                        "\(server.errors)")
                }
                for load in loads {
                    load.waitFor(answers: load.report.total + 50)
                    let report = load.finish()
                    #expect(report.failed.isEmpty, "\(report.failed)")
                    #expect(Set(report.answered.keys) == [200])
                }
                #expect(server.errors.contains("the new file of extension"))
            }
        }

        @Test func aNewFileThatCrashesAtOnceIsTakenBackAndNotTriedAgain() throws {
            try withLibrary(hello) { server, replace in
                try replace(try Package.misbehaving("faults/null"))
                try server.reload()
                for home in homes { #expect(try server.get(home).text == "fine") }
                for home in homes { _ = try? server.get(home + "?now") }
                for home in homes {
                    #expect(
                        eventually { (try? server.get(home + "?now"))?.text == "Hello, world\n" },
                        "\(server.errors)")
                }
                let said = "its new file is taken back, the version from before goes on"
                #expect(server.errors.components(separatedBy: said).count == 3, "\(server.errors)")
                try server.reload()
                for home in homes { #expect(try server.get(home).text == "Hello, world\n") }
                #expect(server.errors.contains("its new file is not used: it crashed with SIGSEGV"))
                try replace(Package.products + "/libecho.so")
                try server.reload()
                for home in homes { #expect(try server.get(home).text != "Hello, world\n") }
            }
        }
    }
}
