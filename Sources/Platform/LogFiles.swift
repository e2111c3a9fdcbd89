// Files that lines are appended to, and the time in front of a line.
// SPDX-License-Identifier: Apache-2.0

import CPlatform
import Glibc

extension Files {
    /// Opens a log file for appending, created with mode 0640; never waits (a pipe's reader may be gone).
    ///
    /// Root does not follow a symbolic link at the end of the path: a folder that others may write to
    /// must not lead root's log elsewhere (CVE-2016-1247). Links below /dev, such as /dev/stdout, it does.
    package static func openLog(_ path: String) throws(SystemError) -> Descriptor {
        var flags: OpenFlags = [.writeOnly, .append, .create, .nonBlocking]
        if geteuid() == 0 && !path.utf8.starts(with: "/dev/".utf8) { flags.insert(.noFollow) }
        return try open(path, flags, mode: 0o640)
    }
}

extension Files {
    /// Makes a log file the user's, creating it when it is missing; what is no plain file stays as it is.
    package static func giveLog(_ path: String, to identity: Identity) throws(SystemError) {
        let file = try openLog(path)
        let number = file.number
        var raw = stat()
        _ = try retrying("fstat") { fstat(number, &raw) }
        // A second name may be somebody's way to a file of root's.
        guard raw.st_mode & S_IFMT == S_IFREG, raw.st_nlink == 1 else { return }
        guard raw.st_uid != identity.user else { return }
        _ = try retrying("fchown") { fchown(number, identity.user, gid_t.max) }
    }

    /// Makes a file in a folder of our own the user's.
    package static func give(_ path: String, to identity: Identity) throws(SystemError) {
        _ = try retrying("lchown") { lchown(path, identity.user, gid_t.max) }
    }
}

extension Descriptor {
    /// Puts this open file under another descriptor's number, whose file is closed (man 2 dup3).
    package consuming func replace(_ other: Int32) throws(SystemError) {
        let number = self.number
        _ = try retrying("dup3") { cplatform_replace(number, other) }
    }
}

extension WallClock {
    /// Appends the time as ISO 8601 in UTC with milliseconds: "2026-01-31T23:59:59.123Z".
    package static func appendTimestamp(to bytes: inout [UInt8]) {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        var parts = tm()
        gmtime_r(&time.tv_sec, &parts)
        appendPadded(Int(parts.tm_year) + 1900, digits: 4, to: &bytes)
        bytes.append(UInt8(ascii: "-"))
        appendPadded(Int(parts.tm_mon) + 1, digits: 2, to: &bytes)
        bytes.append(UInt8(ascii: "-"))
        appendPadded(Int(parts.tm_mday), digits: 2, to: &bytes)
        bytes.append(UInt8(ascii: "T"))
        appendPadded(Int(parts.tm_hour), digits: 2, to: &bytes)
        bytes.append(UInt8(ascii: ":"))
        appendPadded(Int(parts.tm_min), digits: 2, to: &bytes)
        bytes.append(UInt8(ascii: ":"))
        appendPadded(Int(parts.tm_sec), digits: 2, to: &bytes)
        bytes.append(UInt8(ascii: "."))
        appendPadded(Int(time.tv_nsec) / 1_000_000, digits: 3, to: &bytes)
        bytes.append(UInt8(ascii: "Z"))
    }

    /// The same as a text of its own.
    package static var timestamp: String {
        var bytes: [UInt8] = []
        appendTimestamp(to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func appendPadded(_ value: Int, digits: Int, to bytes: inout [UInt8]) {
        var divisor = 1
        for _ in 1..<digits { divisor *= 10 }
        while divisor > 0 {
            bytes.append(UInt8(ascii: "0") + UInt8(value / divisor % 10))
            divisor /= 10
        }
    }
}
