// Where files really are.
// SPDX-License-Identifier: Apache-2.0

import CPlatform
import Glibc

package enum Places {
    /// The absolute path of an existing file or folder, without symbolic links (man 3 realpath).
    package static func resolved(_ path: String) throws(SystemError) -> String {
        guard let result = realpath(path, nil) else { throw SystemError.last("realpath") }
        defer { free(result) }
        return String(cString: result)
    }

    /// The file this process runs (man 5 proc, /proc/pid/exe).
    package static func ownProgram() throws(SystemError) -> String {
        try resolved("/proc/self/exe")
    }

    /// The folder a path lies in: all before its last "/".
    package static func folder(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }
}
