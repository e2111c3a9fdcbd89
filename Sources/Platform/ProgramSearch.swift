// Where a program is found by its name.
// SPDX-License-Identifier: Apache-2.0

import Glibc

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
