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
    }
}
