// A folder only this user may enter, gone with its owner.
// SPDX-License-Identifier: Apache-2.0

import CPlatform
import Glibc

/// A new folder with an unguessable name and mode 0700, removed with its content by `remove()`.
package struct PrivateFolder: Sendable {
    package let path: String

    /// Made in the first of the parents where that is possible.
    package init(prefix: String, in parents: [String]) throws(SystemError) {
        var failure = SystemError("mkdtemp", code: ENOENT)
        for parent in parents {
            var pattern = Array("\(parent)/\(prefix)XXXXXX".utf8CString)
            if cplatform_make_private_folder(&pattern) == 0 {
                path = String(
                    decoding: pattern.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
                return
            }
            failure = .last("mkdtemp")
        }
        throw failure
    }

    /// Where a folder for a running program's sockets belongs: $XDG_RUNTIME_DIR, else /run, else /tmp.
    package static var runtimeParents: [String] {
        (Environment.value(of: "XDG_RUNTIME_DIR").map { [$0] } ?? []) + ["/run", "/tmp"]
    }

    /// Removes what processes that were killed have left: folders "PREFIX-PID-…" of this user whose process
    /// is no more.
    package static func sweep(prefix: String, in parents: [String]) {
        for parent in parents {
            for name in Files.names(in: parent) where name.hasPrefix("\(prefix)-") {
                let words = name.split(separator: "-")
                guard words.count >= 3, let pid = pid_t(words[words.count - 2]), pid > 1,
                    kill(pid, 0) != 0, errno == ESRCH, isOwn("\(parent)/\(name)")
                else { continue }
                PrivateFolder(existing: "\(parent)/\(name)").remove()
            }
        }
    }

    private init(existing path: String) { self.path = path }

    /// A real folder of this user that nobody else may enter: not a link to somewhere else.
    private static func isOwn(_ path: String) -> Bool {
        guard let folder = try? Files.open(path, [.pathOnly, .directory, .noFollow]),
            let status = try? Files.status(folder.number)
        else { return false }
        return status.kind == .directory && status.owner == geteuid() && status.mode == 0o700
    }

    /// Removes the folder and the files directly in it.
    package func remove() {
        for name in Files.names(in: path) { unlink("\(path)/\(name)") }
        rmdir(path)
    }

    package static func removeFile(_ path: String) { unlink(path) }
}

/// The folder of the server this process belongs to.
package enum RuntimeFolder {
    /// The variable that names it to hosts and workers.
    package static let variable = "MORTISE_RUNTIME_FOLDER"

    /// Nil in a process that no supervisor has started.
    package static var path: String? { Environment.value(of: variable) }
}

/// The variables this process was started with (man 7 environ).
package enum Environment {
    package static func value(of name: String) -> String? {
        guard let value = getenv(name) else { return nil }
        return String(cString: value)
    }
}

package enum ProgramSearch {
    /// The path of a program as a shell would find it: a name with "/" as it is, others along $PATH.
    /// Nil when there is no such file that may be executed.
    package static func find(_ name: String, folder: String? = nil) -> String? {
        if name.contains("/") {
            let path = name.hasPrefix("/") ? name : "\(folder ?? ".")/\(name)"
            return isProgram(path) ? path : nil
        }
        let path = Environment.value(of: "PATH") ?? "/usr/local/bin:/usr/bin:/bin"
        for entry in path.split(separator: ":") {
            let candidate = "\(entry)/\(name)"
            if isProgram(candidate) { return candidate }
        }
        return nil
    }

    private static func isProgram(_ path: String) -> Bool {
        guard let status = try? Files.status(path: path), status.kind == .regular else {
            return false
        }
        return access(path, X_OK) == 0
    }
}
