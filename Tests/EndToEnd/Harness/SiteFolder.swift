// A folder of a test's own with a configuration and the files it serves.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
import TestSupport

struct SiteFolder: Sendable {
    let path: String

    init() throws {
        var template = Array((NSTemporaryDirectory() + "mortise-e2e-XXXXXX").utf8CString)
        guard mkdtemp(&template) != nil else {
            throw ClientError.system(call: "mkdtemp", code: errno)
        }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        try FileManager.default.createDirectory(
            atPath: path + "/www", withIntermediateDirectories: true)
    }

    func write(_ name: String, _ text: String, executable: Bool = false) throws {
        try write(name, Array(text.utf8), executable: executable)
    }

    /// A text that begins with "#!" becomes executable.
    func write(_ name: String, _ bytes: [UInt8], executable: Bool = false) throws {
        let file = path + "/" + name
        let folder = (file as NSString).deletingLastPathComponent
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        // A new file: a program that runs cannot be written to (ETXTBSY).
        unlink(file)
        try Data(bytes).write(to: URL(fileURLWithPath: file))
        if executable || bytes.starts(with: Array("#!".utf8)) { chmod(file, 0o755) }
    }

    func text(_ name: String) -> String {
        guard let data = FileManager.default.contents(atPath: path + "/" + name) else { return "" }
        return String(decoding: data, as: UTF8.self)
    }

    func remove() { try? FileManager.default.removeItem(atPath: path) }
}

/// Where things are that the package built or holds.
enum Package {
    /// The repository.
    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path

    /// The folder with the programs and libraries of this build: the one this test program is in.
    static let products: String = {
        var room = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/self/exe", &room, room.count)
        let own = String(
            decoding: room.prefix(max(count, 0)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let folder = (own as NSString).deletingLastPathComponent
        let isThere = FileManager.default.isExecutableFile(atPath: folder + "/mortise")
        return isThere ? folder : Package.folder + "/.build/debug"
    }()

    static var program: String { products + "/mortise" }

    /// A misbehaving extension of Tests/Misbehaving, compiled once per run.
    static func misbehaving(_ name: String) throws -> String {
        try compiled.withLock { known in
            if let library = known[name] { return library }
            let file = name.replacingOccurrences(of: "/", with: "-")
            let library = "\(products)/misbehaving-\(file).so"
            var source = "\(folder)/Tests/Misbehaving/\(name).c"
            let isCPlusPlus = !FileManager.default.fileExists(atPath: source)
            if isCPlusPlus { source += "pp" }
            let include = "\(folder)/Sources/CISAPI/include"
            // Another run of the tests may load what lies there: it is replaced as a whole.
            let made = "\(library).\(getpid())"
            // A program built with a sanitizer wants its extensions built so.
            let variable = isCPlusPlus ? "CXX" : "CC"
            let compilerLine =
                ProcessInfo.processInfo.environment[variable] ?? (isCPlusPlus ? "c++" : "cc")
            let words = compilerLine.split(separator: " ").map(String.init)
            let compiler = SpawnedProcessRun(
                "/usr/bin/env",
                words + ["-shared", "-fPIC", "-pthread", "-I", include, "-o", made, source])
            guard compiler.run() == .exited(0), rename(made, library) == 0 else {
                throw Missing(what: "\(source): \(compiler.errors)")
            }
            known[name] = library
            return library
        }
    }

    private static let compiled = Locked<[String: String]>([:])
}

/// Something the tests need is not on this machine.
struct Missing: Error, CustomStringConvertible {
    var what: String
    var description: String { "\(what). Tests/setup installs what the tests need." }
}
