// When a host counts as standing still.
// SPDX-License-Identifier: Apache-2.0

import Control

/// Compares what a host's page shows from look to look.
///
/// Time is counted in looks of the supervisor's own, one a second: on a machine that was suspended, or so
/// busy that the supervisor itself was late (`forget`), no time has passed for the host either.
struct Watchdog {
    /// Seconds between two looks.
    static let interval = 1.0
    /// Looks without a movement after which one stands still; the look after these acts.
    static let patience = 5

    /// What stands still.
    enum Finding: Equatable, CustomStringConvertible {
        case clock(looks: Int)
        case shard(Int, looks: Int)

        var description: String {
            switch self {
            case .clock(let looks): "stood still (its clock has not ticked for \(looks) s)"
            case .shard(let number, let looks):
                "stood still (shard \(number) has left ready work waiting for \(looks) s)"
            }
        }
    }

    private var last: HealthPage.Reading?
    private var clockLooks = 0
    private var shardLooks = [Int](repeating: 0, count: HealthPage.mostShards)

    /// What was seen before proves nothing any more.
    mutating func forget() { self = Watchdog() }

    /// One more look; what has stood still in this one and long enough before it.
    mutating func compare(_ reading: HealthPage.Reading) -> Finding? {
        defer { last = reading }
        guard let last else { return nil }
        clockLooks = reading.ticks == last.ticks ? clockLooks + 1 : 0
        for (index, shard) in reading.shards.enumerated() where index < shardLooks.count {
            let before = last.shards[index]
            let stands = shard.hasReadyWork && before.hasReadyWork && shard.turns == before.turns
            shardLooks[index] = stands ? shardLooks[index] + 1 : 0
        }
        if clockLooks > Self.patience { return .clock(looks: clockLooks) }
        let stuck = shardLooks.firstIndex { $0 > Self.patience }
        return stuck.map { .shard($0, looks: shardLooks[$0]) }
    }
}
