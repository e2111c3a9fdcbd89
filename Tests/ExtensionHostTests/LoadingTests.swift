// What is refused before an extension is called, and in which words.
// SPDX-License-Identifier: Apache-2.0

import ExtensionHost
import Glibc
import Platform
import TestExtensions
import Testing

struct LoadingTests {
    private static let answers =
        "DWORD WINAPI HttpExtensionProc(EXTENSION_CONTROL_BLOCK *ecb) { return 1; }\n"

    private func problem(_ path: String) -> String? {
        do throws(ExtensionError) {
            _ = try LoadedExtension.load(path: path, name: "test")
            return nil
        } catch {
            #expect(error.name == "test" && error.path == path && !error.remedy.isEmpty)
            return error.problem
        }
    }

    @Test func anExtensionTellsItsVersionAndThreadSafety() throws {
        let loaded = try LoadedExtension.make(
            Self.answers + "DWORD WINAPI GetExtensionThreadSafety(void) { return HSE_THREAD_SAFE; }"
        )
        #expect(loaded.version == 0x0008_0000 && loaded.description == "a test")
        #expect(loaded.declaredThreadSafe == true && !loaded.hasTerminate)
        let silent = try LoadedExtension.make(Self.answers)
        #expect(silent.declaredThreadSafe == nil)
    }

    @Test func whatAnybodyMayChangeIsRefused() throws {
        let good = try CompiledExtension(Self.answers)
        let folder = good.folder.path
        #expect(chmod(good.path, 0o777) == 0)
        #expect(problem(good.path) == "anybody may write to \(good.path) (mode 0777)")
        #expect(chmod(good.path, 0o775) == 0)
        #expect(chmod(folder, 0o777) == 0)
        #expect(problem(good.path) == "anybody may write to its folder \(folder) (mode 0777)")
        #expect(chmod(folder, 0o1777) == 0)
        #expect(problem(good.path) == nil)
    }

    @Test func whatIsNoSharedObjectIsRefusedByName() throws {
        let good = try CompiledExtension(Self.answers)
        let file = try Files.open(good.path, .readOnly)
        let bytes = try Files.contents(of: file.number)
        func problem(_ bytes: [UInt8]) throws -> String? {
            let path = good.folder.path + "/broken.so"
            try CompiledExtension.write(bytes, to: path)
            return self.problem(path)
        }
        func changed(_ offset: Int, _ byte: UInt8) -> [UInt8] {
            var copy = bytes
            copy[offset] = byte
            return copy
        }
        #expect(try problem([]) == "the file is empty")
        #expect(
            try problem(Array("just text, no program at all".utf8)) == "it is not a shared object")
        #expect(try problem(Array(bytes[..<50])) == "the file is cut short")
        #expect(try problem(changed(4, 1)) == "it is a 32-bit object")
        #expect(try problem(changed(5, 2)) == "its byte order is big-endian")
        #expect(try problem(changed(18, 8)) == "it is built for another machine (ELF machine 8)")
        #expect(try problem(changed(16, 2)) == "its ELF type is 2, not that of a shared object (3)")
        #expect(self.problem("/tmp") == "it is not a regular file")
        #expect(self.problem("/dev/null") == "it is not a regular file")
        #expect(
            self.problem(good.folder.path + "/missing.so")?.hasPrefix("the file cannot be read")
                == true)
    }

    @Test func aTruncatedObjectNeverReachesTheLoader() throws {
        let good = try CompiledExtension(Self.answers)
        // Symbols would lie behind what is mapped.
        try CompiledExtension.run(["strip", good.path])
        let file = try Files.open(good.path, .readOnly)
        let bytes = try Files.contents(of: file.number)
        // Up to the end of what is mapped; the section headers behind it are of no use to the loader.
        for size in stride(from: 64, to: bytes.count - 4096, by: 512) {
            let path = good.folder.path + "/cut-\(size).so"
            try CompiledExtension.write(Array(bytes[..<size]), to: path)
            #expect(problem(path) != nil, "\(size) of \(bytes.count) bytes")
        }
    }

    @Test func missingFunctionsAndRefusalsAreNamed() throws {
        let without = try CompiledExtension("")
        #expect(problem(without.path) == "it does not export HttpExtensionProc")
        let nothing = try CompiledExtension("int nothing;", preamble: "")
        #expect(problem(nothing.path) == "it does not export GetExtensionVersion")
        let refuses = try CompiledExtension(
            Self.answers
                + "BOOL WINAPI GetExtensionVersion(HSE_VERSION_INFO *v) { SetLastError(1234); return FALSE; }",
            preamble: "#include <httpext.h>\n")
        #expect(problem(refuses.path) == "its GetExtensionVersion returned FALSE (error 1234)")
        let unresolved = try CompiledExtension(
            Self.answers + "void gone(void); void use(void) { gone(); }")
        #expect(problem(unresolved.path)?.contains("gone") == true)
    }

    @Test func anInspectionNamesEntryPointsAndLibraries() throws {
        let compiled = try CompiledExtension(
            Self.answers + "BOOL WINAPI TerminateExtension(DWORD f) { return puts(\"\") > 0; }")
        let text = try Inspection(path: compiled.path).description
        #expect(text.contains("TerminateExtension") && text.contains("libc.so.6"))
        #expect(text.contains("not declared") && text.contains("worker processes"))
    }

    @Test func aLoadedCopySurvivesItsOriginalAndAChangedFileIsAnotherExtension() throws {
        let folder = try PrivateFolder(prefix: "mortise-test-", in: ["/tmp"])
        defer { folder.remove() }
        func load(_ word: String, into path: String) throws -> LoadedExtension {
            let compiled = try CompiledExtension(
                "DWORD WINAPI HttpExtensionProc(EXTENSION_CONTROL_BLOCK *e) { say(e, \"<\(word)>\"); return 1; }"
            )
            let file = try Files.open(compiled.path, .readOnly)
            try CompiledExtension.write(try Files.contents(of: file.number), to: path)
            let copy = try #require(
                try ExtensionCopy.make(of: path, name: word, in: folder.path))
            return try LoadedExtension.load(
                path: path, name: word, copy: "\(folder.path)/\(copy)")
        }
        let path = folder.path + "/original.so"
        let first = try load("first", into: path)
        try CompiledExtension.write([], to: path)
        #expect(first.answer().text == "<first>")
        let second = try load("second", into: path)
        #expect(first.answer().text == "<first>" && second.answer().text == "<second>")
    }
}
