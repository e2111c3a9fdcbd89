// Which processes there are, read from /proc.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc

/// A process that is not mistaken for a later one with the same number.
struct ProcessIdentity: Hashable, Sendable {
    var pid: Int32
    /// Clock ticks since the system started (man 5 proc, field 22 of stat).
    var started: UInt64

    /// Still running, or ended and not yet reaped by its parent.
    var exists: Bool { ProcessTree.entry(pid)?.identity == self }
    /// Still running, or has a thread that has not ended and keeps its descriptors open.
    var isAlive: Bool {
        guard let entry = ProcessTree.entry(pid), entry.identity == self else { return false }
        guard entry.state == "Z" || entry.state == "X" else { return true }
        let threads = try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/task")
        return (threads ?? []).contains { $0 != "\(pid)" }
    }

    func kill(_ signal: Int32) { Glibc.kill(pid, signal) }
}

enum ProcessTree {
    struct Entry: Sendable {
        var identity: ProcessIdentity
        var parent: Int32
        var state: Character
        /// The command line, words joined by a space.
        var command: String
        /// Processor time of the process so far, clock ticks.
        var ticks: UInt64
        var threads: Int
    }

    static func entry(_ pid: Int32) -> Entry? {
        guard let stat = contents("/proc/\(pid)/stat"), let end = stat.lastIndex(of: ")") else {
            return nil
        }
        let words = stat[stat.index(after: end)...].split(separator: " ")
        guard words.count > 19, let parent = Int32(words[1]), let started = UInt64(words[19]),
            let user = UInt64(words[11]), let system = UInt64(words[12]),
            let threads = Int(words[17])
        else { return nil }
        let command = (contents("/proc/\(pid)/cmdline") ?? "").replacingOccurrences(
            of: "\0", with: " ")
        return Entry(
            identity: ProcessIdentity(pid: pid, started: started), parent: parent,
            state: words[0].first ?? "?", command: command, ticks: user + system, threads: threads)
    }

    /// Every process below the given one, not the process itself.
    static func descendants(of root: Int32) -> [Entry] {
        let all = pids().compactMap(entry)
        var found: [Entry] = []
        var parents: Set<Int32> = [root]
        while !parents.isEmpty {
            let children = all.filter { parents.contains($0.parent) }
            found += children
            parents = Set(children.map(\.identity.pid))
        }
        return found
    }

    static func descriptorCount(_ pid: Int32) -> Int {
        (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/fd").count) ?? 0
    }

    /// What ps(1) shows of a process (man 5 proc, comm).
    static func name(of pid: Int32) -> String? {
        contents("/proc/\(pid)/comm").map { $0.trimmingCharacters(in: .newlines) }
    }

    /// The sockets among a process's descriptors, as /proc names them.
    static func sockets(of pid: Int32) -> Set<String> {
        let folder = "/proc/\(pid)/fd"
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return Set(
            names.compactMap {
                try? FileManager.default.destinationOfSymbolicLink(atPath: "\(folder)/\($0)")
            }
            .filter { $0.hasPrefix("socket:") })
    }

    /// The value of a variable that the process was started with.
    static func variable(_ name: String, of pid: Int32) -> String? {
        contents("/proc/\(pid)/environ")?.split(separator: "\0")
            .first { $0.hasPrefix("\(name)=") }.map { String($0.dropFirst(name.count + 1)) }
    }

    private static func pids() -> [Int32] {
        ((try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []).compactMap {
            Int32($0)
        }
    }

    private static func contents(_ path: String) -> String? {
        guard let data = FileManager.default.contents(atPath: path), !data.isEmpty else {
            return nil
        }
        return String(decoding: data, as: UTF8.self)
    }
}
