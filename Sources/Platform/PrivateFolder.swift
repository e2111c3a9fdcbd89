// A folder only this user may list and change, gone with its owner.
// SPDX-License-Identifier: Apache-2.0

import CPlatform
import Glibc

/// A new folder with an unguessable name and mode 0700, removed with its content by `remove()`.
///
/// Where processes of other users need what is in it, its mode is 0711: they may open what they know the name of,
/// as far as its own mode lets them, and can neither list the folder nor change it.
///
/// A locked file in it says that its owner lives (man 2 flock): the lock ends with the process, however that
/// ends, and holds across PID namespaces that share a file system. The file gets its name when it is locked,
/// and whoever removes a folder holds its lock: so a sweep never takes a living owner for a dead one.
package final class PrivateFolder: Sendable {
    package let path: String
    package let othersEnter: Bool
    private let lock: Descriptor

    private static let lockName = "owner-lives"
    /// The name of the file before it is locked.
    private static let unlockedName = "owner-comes"
    /// Seconds after which a folder without an owner's file is no longer one that is being made.
    private static let makingTime: Int64 = 60

    /// Made in the first of the parents where that is possible.
    package init(
        prefix: String, in parents: [String], othersEnter: Bool = false
    ) throws(SystemError) {
        self.othersEnter = othersEnter
        var failure = SystemError("mkdtemp", code: ENOENT)
        for parent in parents {
            var pattern = Array("\(parent)/\(prefix)XXXXXX".utf8CString)
            guard cplatform_make_private_folder(&pattern) == 0 else {
                failure = .last("mkdtemp")
                continue
            }
            let path = String(
                decoding: pattern.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
            do throws(SystemError) {
                let lock = try Self.makeLock(path)
                if othersEnter { try Self.open(path) }
                self.lock = lock
                self.path = path
                return
            } catch {
                failure = error
            }
        }
        throw failure
    }

    /// Makes a folder anew that has vanished, or has lost its lock, while its owner lived. EEXIST: something
    /// else has that name now.
    package init(again path: String, othersEnter: Bool = false) throws(SystemError) {
        self.othersEnter = othersEnter
        do throws(SystemError) {
            _ = try retrying("mkdir") { mkdir(path, 0o700) }
        } catch {
            guard Self.isOwn(path) else { throw error }
        }
        lock = try Self.makeLock(path)
        self.path = path
        if othersEnter { try Self.open(path) }
    }

    private init(_ path: String, _ lock: consuming Descriptor) {
        self.path = path
        self.lock = lock
        othersEnter = false
    }

    private static func open(_ path: String) throws(SystemError) {
        _ = try retrying("chmod") { chmod(path, 0o711) }
    }

    /// Where a folder for a running program's sockets belongs: $XDG_RUNTIME_DIR, else /run, else /tmp.
    package static var runtimeParents: [String] {
        (Environment.value(of: "XDG_RUNTIME_DIR").map { [$0] } ?? []) + ["/run", "/tmp"]
    }

    /// Removes folders of this user with that prefix whose owners live no more.
    package static func sweep(prefix: String, in parents: [String]) {
        for parent in parents {
            for name in Files.names(in: parent) where name.hasPrefix(prefix) {
                let path = "\(parent)/\(name)"
                guard isOwn(path) else { continue }
                if let lock = try? takeLock(path) {
                    PrivateFolder(path, lock).remove()
                } else if isAbandoned(path) {
                    removeFile("\(path)/\(unlockedName)")
                    rmdir(path)
                }
            }
        }
    }

    /// Whoever was making it has not come to the owner's file.
    private static func isAbandoned(_ path: String) -> Bool {
        guard let status = try? Files.status(path: path),
            WallClock.seconds - status.modified > makingTime
        else { return false }
        return Files.names(in: path).allSatisfy { $0 == unlockedName }
    }

    /// Whether the folder is still where it was made.
    package var isIntact: Bool {
        guard let held = try? Files.status(lock.number),
            let there = try? Files.status(path: "\(path)/\(Self.lockName)")
        else { return false }
        return held.inode == there.inode && held.device == there.device
    }

    /// Removes the folder and the files directly in it; the lock last, so that nobody takes it half empty.
    package func remove() {
        guard isIntact else { return }
        for name in Files.names(in: path) where name != Self.lockName { unlink("\(path)/\(name)") }
        unlink("\(path)/\(Self.lockName)")
        rmdir(path)
    }

    package static func removeFile(_ path: String) { unlink(path) }

    /// The lock of a folder without an owner. EEXIST: it has one.
    private static func makeLock(_ folder: String) throws(SystemError) -> Descriptor {
        let unlocked = "\(folder)/\(unlockedName)"
        let file = try Files.open(unlocked, [.readWrite, .create, .noFollow])
        let number = file.number
        _ = try retrying("flock") { flock(number, LOCK_EX | LOCK_NB) }
        _ = try retrying("link") { link(unlocked, "\(folder)/\(lockName)") }
        unlink(unlocked)
        return file
    }

    /// The lock of a dead owner's folder; nil when its owner lives, or has removed it meanwhile.
    private static func takeLock(_ folder: String) throws(SystemError) -> Descriptor? {
        let path = "\(folder)/\(lockName)"
        let file: Descriptor
        do throws(SystemError) {
            file = try Files.open(path, [.readWrite, .noFollow])
        } catch {
            if error.code == ENOENT { return nil }
            throw error
        }
        let number = file.number
        do throws(SystemError) {
            _ = try retrying("flock") { flock(number, LOCK_EX | LOCK_NB) }
        } catch {
            if error.wouldBlock { return nil }
            throw error
        }
        // Who held it before may have removed it: then the lock is on a file without a name.
        guard let held = try? Files.status(number), let there = try? Files.status(path: path),
            held.inode == there.inode, held.device == there.device
        else { return nil }
        return file
    }

    /// A real folder of this user that nobody else may list or change: not a link to somewhere else.
    private static func isOwn(_ path: String) -> Bool {
        guard let folder = try? Files.open(path, [.pathOnly, .directory, .noFollow]),
            let status = try? Files.status(folder.number)
        else { return false }
        return status.kind == .directory && status.owner == geteuid()
            && (status.mode == 0o700 || status.mode == 0o711)
    }
}
