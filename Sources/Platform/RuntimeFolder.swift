// The folder of the server that a process belongs to.
// SPDX-License-Identifier: Apache-2.0

/// The folder of the server this process belongs to.
package enum RuntimeFolder {
    /// The variable that names it to hosts and workers.
    package static let variable = "MORTISE_RUNTIME_FOLDER"

    /// What the folders of running servers are called, with a suffix of their own.
    package static let prefix = "mortise-server-"

    /// What the names of copies of extensions in it begin with.
    package static let copyPrefix = "copy-"

    /// Makes the folder of this server. `othersEnter`: where processes of other users can reach it, too.
    package static func make(othersEnter: Bool) throws(SystemError) -> PrivateFolder {
        let parents = PrivateFolder.runtimeParents.filter {
            !othersEnter || ((try? Files.status(path: $0))?.mode ?? 0) & 0o001 != 0
        }
        return try PrivateFolder(prefix: prefix, in: parents, othersEnter: othersEnter)
    }

    /// Nil in a process that no supervisor has started.
    package static var path: String? { Environment.value(of: variable) }
}
