// The thread that keeps time.
// SPDX-License-Identifier: Apache-2.0

import Control
import Platform

/// Looks at the clock, fires timers into run queues, decides on growth. Never blocks and never calls out:
/// what may block is `Housekeeping`'s.
struct Clock {
    /// Milliseconds between two ticks: few while a thread is free, more often while all are at work.
    private static let calm = 20
    private static let busy = 5
    private let host: Host
    private var wheels: [TimerWheel]
    private var growth: [GrowthRule]
    private var progress: [UInt64]
    private var lastLook = Instant.now

    init(host: Host) {
        self.host = host
        wheels = host.shards.map { _ in TimerWheel(now: .now) }
        growth = host.shards.map { _ in
            GrowthRule(processors: Thread.processors, shards: host.shards.count)
        }
        progress = host.shards.map { _ in 0 }
    }

    mutating func run() {
        var isBusy = false
        while true {
            Thread.sleep(milliseconds: isBusy ? Self.busy : Self.calm)
            isBusy = tick(at: .now)
        }
    }

    /// True while a shard's threads are all at work.
    mutating func tick(at now: Instant) -> Bool {
        CoarseClock.tick()
        var isBusy = false
        for (index, shard) in host.shards.enumerated() {
            turnWheel(index, shard, now)
            shard.refuseOverdue(at: now)
            let waited = shard.waited(at: now)
            let threads = shard.look(after: now.seconds(since: lastLook))
            if let count = growth[index].growth(
                waited: waited, used: threads.used, room: shard.room(for: threads.running))
            {
                shard.grow(by: count, running: threads.running, hasReserve: threads.hasReserve)
            }
            if !shard.hasSleepers { isBusy = true }
            record(index, threads.progress, waited, now)
        }
        lastLook = now
        host.health?.tick()
        return isBusy
    }

    /// For the supervisor, which replaces a host that stands still.
    private mutating func record(
        _ shard: Int, _ count: UInt64, _ waited: Double, _ now: Instant
    ) {
        guard let health = host.health else { return }
        if count != progress[shard] { health.countTurn(ofShard: shard) }
        progress[shard] = count
        let since = waited > GrowthRule.patience ? now.adding(seconds: -waited) : nil
        health.setOldestReady(since, ofShard: shard)
    }

    private mutating func turnWheel(_ index: Int, _ shard: Shard, _ now: Instant) {
        wheels[index].turn(to: now, posted: shard.timers.take()) { timer in
            timer._withUnsafeGuaranteedRef { shard.wake($0, .expired) }
        }
    }
}
