// The account of a process, and where accounts are found.
// SPDX-License-Identifier: Apache-2.0

import CPlatform
import Glibc

/// A user, a group and all supplementary groups, as numbers.
package struct Identity: Sendable, Hashable {
    package var user: UInt32
    package var group: UInt32
    package var groups: [UInt32]

    package init(user: UInt32, group: UInt32, groups: [UInt32]) {
        self.user = user
        self.group = group
        self.groups = groups
    }

    /// The user this process runs as.
    package static var ownUser: UInt32 { geteuid() }
    package static var ownGroup: UInt32 { getegid() }

    /// For a command line: "33:33:33,44".
    package var text: String {
        "\(user):\(group):\(groups.map { "\($0)" }.joined(separator: ","))"
    }

    package init?(text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 3, let user = UInt32(parts[0]), let group = UInt32(parts[1]) else {
            return nil
        }
        let words = parts[2].split(separator: ",")
        let groups = words.compactMap { UInt32($0) }
        guard groups.count == words.count else { return nil }
        self.init(user: user, group: group, groups: groups)
    }

    func withRaw<Result>(_ body: (UnsafePointer<cplatform_identity>) -> Result) -> Result {
        groups.withUnsafeBufferPointer { groups in
            withUnsafePointer(
                to: cplatform_identity(
                    user: user, group: group, groups: groups.baseAddress,
                    group_count: Int32(groups.count)), body)
        }
    }
}

/// What the system knows of users and groups (man 5 nsswitch.conf): asked before a process is made, because
/// it may read files and speak with other processes.
package enum Accounts {
    package struct User: Equatable, Sendable {
        package let name: String
        package let number: UInt32
        /// The group it belongs to first.
        package let group: UInt32
    }

    /// A user by its name, or by its number when the text is one; nil: there is none.
    package static func user(_ text: String) throws(SystemError) -> User? {
        if let found = try user({ getpwnam_r(text, $0, $1, $2, $3) }) { return found }
        guard let number = UInt32(text) else { return nil }
        return try user({ getpwuid_r(number, $0, $1, $2, $3) })
    }

    /// The number of a group by its name; nil: there is none.
    package static func group(named name: String) throws(SystemError) -> UInt32? {
        var entry = Glibc.group()
        return try lookUp("getgrnam", &entry) {
            getgrnam_r(name, $0, $1, $2, $3)
        } found: {
            $0.gr_gid
        }
    }

    /// All groups of a user, and the given one (man 3 getgrouplist).
    package static func groups(ofUser name: String, and group: UInt32) -> [UInt32] {
        var room = [UInt32](repeating: 0, count: 64)
        while true {
            var count = Int32(room.count)
            if cplatform_groups_of(name, group, &room, &count) == 0 {
                return Array(room[..<Int(count)])
            }
            room = [UInt32](repeating: 0, count: max(room.count * 2, Int(count)))
        }
    }

    private typealias UserLookUp = (
        UnsafeMutablePointer<passwd>, UnsafeMutablePointer<CChar>, Int,
        UnsafeMutablePointer<UnsafeMutablePointer<passwd>?>
    ) -> Int32

    private static func user(_ call: UserLookUp) throws(SystemError) -> User? {
        var entry = passwd()
        return try lookUp("getpwnam", &entry, call) {
            User(name: String(cString: $0.pw_name), number: $0.pw_uid, group: $0.pw_gid)
        }
    }

    /// The calls of man 3 getpwnam_r want room for texts, and say when it is too little.
    private static func lookUp<Entry, Found>(
        _ name: String, _ entry: inout Entry,
        _ call: (
            UnsafeMutablePointer<Entry>, UnsafeMutablePointer<CChar>, Int,
            UnsafeMutablePointer<UnsafeMutablePointer<Entry>?>
        ) -> Int32, found: (Entry) -> Found
    ) throws(SystemError) -> Found? {
        var room = [CChar](repeating: 0, count: 4096)
        while true {
            var result: UnsafeMutablePointer<Entry>?
            let code = call(&entry, &room, room.count, &result)
            // Read while its texts are there.
            if let result { return found(result.pointee) }
            switch code {
            case ERANGE: room = [CChar](repeating: 0, count: room.count * 2)
            case EINTR: continue
            // "Not found", as one or another source of accounts words it (man 3 getpwnam_r).
            case 0, ENOENT, ESRCH, EBADF, EPERM: return nil
            default: throw SystemError(name, code: code)
            }
        }
    }
}
