// How often an extension has cost a process, and what follows from it.
// SPDX-License-Identifier: Apache-2.0

import Platform

/// Strikes against the extensions that run inside the host, as a value: faults go in, what is to be done
/// comes out, time is an argument.
///
/// An extension that has had so many strikes within a minute, or two more than that within ten, goes on
/// outside of the host: it is demoted. It stays so until its file or its configuration is another one.
struct StrikeLedger: Equatable {
    /// What a strike comes to.
    enum Outcome: Equatable {
        /// So many of those within a minute that demote it.
        case strike(Int, of: Int)
        case demoted
        /// It was before: a host of the time before that has died later.
        case alreadyDemoted
        /// The configuration wants no demotion.
        case ignored
    }

    /// Seconds.
    static let short = 60.0
    static let long = 600.0
    /// Strikes more than those within a minute that demote within ten.
    static let longSurplus = 2

    private struct Entry: Equatable {
        /// What the strikes are against: the file's version and the settings.
        var identity: String
        var strikes: [(time: Instant, weight: Double)] = []
        var isDemoted = false

        static func == (one: Entry, other: Entry) -> Bool {
            one.identity == other.identity && one.isDemoted == other.isDemoted
                && one.strikes.elementsEqual(other.strikes) { $0 == $1 }
        }
    }

    private var entries: [String: Entry] = [:]

    /// A fault of the extension. `weight`: its share, when others may have done it as well. `limit`: strikes
    /// within a minute that demote it; 0: never.
    mutating func strike(
        _ name: String, identity: String, weight: Double = 1, limit: Int, now: Instant
    ) -> Outcome {
        var entry = entries[name] ?? Entry(identity: identity)
        if entry.identity != identity { entry = Entry(identity: identity) }
        defer { entries[name] = entry }
        guard limit > 0 else { return .ignored }
        guard !entry.isDemoted else { return .alreadyDemoted }
        entry.strikes.removeAll { now.seconds(since: $0.time) >= Self.long }
        entry.strikes.append((now, weight))
        let all = entry.strikes.reduce(0) { $0 + $1.weight }
        let recent = entry.strikes.reduce(0) {
            $0 + (now.seconds(since: $1.time) < Self.short ? $1.weight : 0)
        }
        // A half and another half of the blame are one strike.
        let least = Double(limit) - 0.001
        guard recent >= least || all >= least + Double(Self.longSurplus) else {
            return .strike(max(1, Int(recent)), of: limit)
        }
        entry.strikes = []
        entry.isDemoted = true
        return .demoted
    }

    /// Whether that very version of it runs outside of the host now, though it is thread-safe.
    func isDemoted(_ name: String, identity: String) -> Bool {
        guard let entry = entries[name] else { return false }
        return entry.isDemoted && entry.identity == identity
    }

    /// By hand.
    mutating func demote(_ name: String, identity: String) {
        entries[name] = Entry(identity: identity, isDemoted: true)
    }

    /// By hand: it starts anew.
    mutating func release(_ name: String) { entries[name] = nil }
}
