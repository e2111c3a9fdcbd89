// What processes run as, and within which limits, as the file says it.
// SPDX-License-Identifier: Apache-2.0

extension Settings {
    /// A user or a group as the file names it: a name, or a number. Whether there is one, who starts processes
    /// asks the system.
    package struct AccountName: Sendable, Hashable {
        package let text: String
        private let place: Place

        init(_ text: String, at place: Place) {
            self.text = text
            self.place = place
        }

        /// What is wrong with the name in a file, as the reader would say it.
        package func complaint(
            in file: String, found: String, expected: String
        ) -> ConfigurationError {
            ConfigurationError(
                file: file, line: place.line, column: place.column, found: found,
                expected: expected)
        }

        /// The same name in another line is the same account.
        package static func == (one: AccountName, other: AccountName) -> Bool {
            one.text == other.text
        }

        package func hash(into hasher: inout Hasher) { hasher.combine(text) }
    }

    /// Under whose name processes run.
    package struct Account: Sendable, Hashable {
        /// Nil: whoever has started the server.
        package var user: AccountName?
        /// Nil: the user's own.
        package var group: AccountName?
        package init() {}

        /// It is said that these processes may be root's.
        package var isRoot: Bool { user?.text == "root" || user?.text == "0" }
    }

    /// What a pool's processes, or the scripts of a handler, run as.
    package struct Confinement: Sendable, Equatable {
        /// The server's where a pool names none.
        package var account: Account
        package var umask: UInt32?
        package var limits = ProcessLimits()
        package var nice: Int?
        package var oomScore: Int?
        /// Programs with a set-user-ID bit give their rights to these processes.
        package var newPrivileges = false
        package init(account: Account = Account()) { self.account = account }
    }

    /// Nil: as the supervisor has it.
    package struct ProcessLimits: Sendable, Equatable {
        package var openFiles: UInt64?
        /// Of the user, wherever they were started.
        package var processes: UInt64?
        /// Bytes of one file.
        package var fileSize: UInt64?
        /// Whole seconds of processor time.
        package var processorTime: UInt64?
        /// Bytes of private memory that may be written.
        package var memory: UInt64?
        /// Bytes of a core file.
        package var core: UInt64?
        package init() {}
    }
}
