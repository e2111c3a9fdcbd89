// One death of a process, or of a call, as an operator reads it.
// SPDX-License-Identifier: Apache-2.0

import Control
import Platform

/// What is kept of a fault: a line of the error log, and an object of `mortise crashes`.
struct CrashRecord: Equatable {
    /// What the fault has cost.
    enum Victim: Equatable {
        case host(Int32)
        case worker(Int32, pool: String)
        /// A call alone, which got 500 or 504, or was cut.
        case call(host: Int32)
    }

    /// UTC, as the error log writes it.
    var timestamp: String
    var victim: Victim
    /// Extensions by name; empty: nobody is known to be to blame.
    var extensions: [String]
    /// The file of the first of them, and which version of it.
    var file: String?
    var version: String?
    var finding: FaultFinding
    /// Seconds since the process began to serve.
    var uptime: Double
    /// What was done about it: "host 4712, which stood by, takes over".
    var action: String

    /// For programs.
    var json: JSONValue {
        var members: [(String, JSONValue)] = [("time", .text(timestamp))]
        switch victim {
        case .host(let pid): members += [("process", .text("host")), ("pid", .number(Int64(pid)))]
        case .worker(let pid, let pool):
            members += [("process", .text("worker")), ("pid", .number(Int64(pid)))]
            members.append(("pool", .text(pool)))
        case .call(let pid): members += [("process", .null), ("pid", .number(Int64(pid)))]
        }
        members += [
            ("extensions", .texts(extensions)), ("certainty", .text(finding.certainty.rawValue)),
            ("file", .optional(file)), ("version", .optional(version)),
            ("what", .text(finding.deed)), ("place", .optional(finding.place)),
            ("frames", .texts(finding.frames)), ("request", .optional(finding.request)),
            ("call", .optional(finding.call)), ("calls", .number(Int64(clamping: finding.calls))),
            ("milliseconds", .number(Int64(uptime * 1000))), ("action", .text(action)),
        ]
        return .object(members)
    }

    /// One sentence.
    var sentence: String {
        let after = "\(PoolLedger.age(uptime)) after \(beginning)"
        let call = finding.request.map { " while it \(verb) \($0)" } ?? ""
        let place = finding.place.map { " at \($0)" } ?? ""
        switch victim {
        case .call:
            return
                "\(subject) \(finding.deed)\(place)\(call); that request alone has failed (\(action))"
        case .host(let pid) where extensions.isEmpty || finding.certainty == .suspect:
            return "host \(pid) \(finding.deed)\(place) \(after)\(suspects); \(action)"
        case .worker(let pid, _) where extensions.isEmpty:
            return "worker \(pid) \(finding.deed)\(place) \(after); \(action)"
        case .host(let pid):
            return "\(subject) \(finding.deed)\(place)\(call), and host \(pid) with it, \(after);"
                + " \(action)"
        case .worker(let pid, _):
            return "\(subject) \(finding.deed)\(place)\(call), and worker \(pid) with it,"
                + " \(after); \(action)"
        }
    }

    private var beginning: String {
        if case .worker = victim { "its start" } else { "it began to serve" }
    }

    private var subject: String {
        let name = "extension \(extensions.joined(separator: ", "))"
        return finding.certainty == .background ? "a thread of \(name)" : name
    }

    private var verb: String {
        switch finding.function {
        case .load, .version: "was loaded for"
        case .terminate: "was unloaded for"
        case .call, .callback, nil: "answered"
        }
    }

    private var suspects: String {
        guard !extensions.isEmpty else { return "" }
        let names = extensions.joined(separator: ", ")
        return
            " (called then, or shortly before: extension\(extensions.count > 1 ? "s" : "") \(names))"
    }
}
