// How a host shows its supervisor that it is alive.
// SPDX-License-Identifier: Apache-2.0

package import Platform

/// A page of numbers that one host writes and its supervisor reads every second.
///
/// The host counts its clock's ticks and each shard's turns, and says since when the oldest work that is
/// ready has waited. The supervisor believes none of it: all it takes from the page is whether something
/// has moved since its last look. A host that shows no movement for some seconds is killed and replaced:
///
/// - its clock has not ticked, or
/// - a shard has had ready work in every look and has made no turn.
///
/// Any thread may write; every function is one atomic store or addition.
package struct HealthPage: Sendable {
    /// Shards a page has room for; those of a host beyond them are not watched.
    package static let mostShards = 255

    // Word 0 counts the clock's ticks. Shard i has two words of a cache line of its own: turns, and since
    // when the oldest ready work has waited.
    private static let wordsPerShard = 8
    private static let count = (mostShards + 1) * wordsPerShard

    private let words: SharedWords

    /// The host's side: the page it was started with.
    package init(mapping file: borrowing Descriptor) throws(SystemError) {
        words = try SharedWords(mapping: file.number, count: Self.count)
    }

    /// The clock thread is alive: at least a few times a second.
    package func tick() { words.add(1, at: 0) }

    /// The shard has taken work and goes on: an event, a connection from its queue, a timer.
    package func countTurn(ofShard shard: Int) {
        guard let place = Self.place(of: shard) else { return }
        words.add(1, at: place)
    }

    /// Since when work that a thread of the shard could do has waited; nil when none waits.
    package func setOldestReady(_ since: Instant?, ofShard shard: Int) {
        guard let place = Self.place(of: shard) else { return }
        words.store(UInt64(bitPattern: since?.nanoseconds ?? 0), at: place + 1)
    }

    private static func place(of shard: Int) -> Int? {
        shard >= 0 && shard < mostShards ? (shard + 1) * wordsPerShard : nil
    }

    // MARK: The supervisor's side

    /// What a page showed at one look.
    package struct Reading: Sendable, Equatable {
        package struct Shard: Sendable, Equatable {
            package var turns: UInt64
            package var hasReadyWork: Bool
            package init(turns: UInt64, hasReadyWork: Bool) {
                self.turns = turns
                self.hasReadyWork = hasReadyWork
            }
        }
        package var ticks: UInt64
        /// `mostShards`, those a host does not have included: they never have work.
        package var shards: [Shard]
        package init(ticks: UInt64, shards: [Shard]) {
            self.ticks = ticks
            self.shards = shards
        }
    }

    /// A page for a new host.
    package static func makeFile() throws(SystemError) -> Descriptor {
        try SharedWords.makeFile(named: "mortise-health", count: count)
    }

    /// What a host has written; zeros where it has cut the file.
    package static func read(_ file: Int32) -> Reading {
        let words = SharedWords.read(file, count: count)
        return Reading(
            ticks: words[0],
            shards: (0..<mostShards).map { shard in
                let place = (shard + 1) * wordsPerShard
                return Reading.Shard(turns: words[place], hasReadyWork: words[place + 1] != 0)
            })
    }
}
