// A host that moves is left alone; one that stands still is found, and what stood is said.
// SPDX-License-Identifier: Apache-2.0

import Control
import Testing

@testable import Supervision

struct WatchdogTests {
    private static func reading(
        ticks: UInt64, turns: UInt64 = 0, ready: Bool = false
    ) -> HealthPage.Reading {
        var shards = [HealthPage.Reading.Shard](
            repeating: .init(turns: 0, hasReadyWork: false), count: HealthPage.mostShards)
        shards[2] = .init(turns: turns, hasReadyWork: ready)
        return HealthPage.Reading(ticks: ticks, shards: shards)
    }

    @Test func hostThatMovesIsLeftAlone() {
        var watchdog = Watchdog()
        for look in 0..<100 {
            let busy = Self.reading(ticks: UInt64(look), turns: UInt64(look), ready: true)
            #expect(watchdog.compare(busy) == nil)
        }
        // Nothing to do is no standing still.
        for look in 100..<200 {
            #expect(watchdog.compare(Self.reading(ticks: UInt64(look), turns: 7)) == nil)
        }
    }

    @Test func clockThatStandsIsFoundByTheSecondLookThatFindsIt() {
        var watchdog = Watchdog()
        for _ in 0...Watchdog.patience { #expect(watchdog.compare(Self.reading(ticks: 9)) == nil) }
        let finding = watchdog.compare(Self.reading(ticks: 9))
        #expect(finding == .clock(looks: Watchdog.patience + 1))
        #expect(finding?.description == "stood still (its clock has not ticked for 6 s)")
    }

    @Test func shardThatLeavesItsWorkIsFoundByNumber() {
        var watchdog = Watchdog()
        var found: Watchdog.Finding?
        var looks: UInt64 = 0
        while found == nil && looks < 20 {
            looks += 1
            found = watchdog.compare(Self.reading(ticks: looks, turns: 5, ready: true))
        }
        #expect(found == .shard(2, looks: Watchdog.patience + 1))
    }

    @Test func workThatComesAndGoesIsNoStandingStill() {
        var watchdog = Watchdog()
        for look in 0..<50 {
            let reading = Self.reading(ticks: UInt64(look), turns: 5, ready: look % 3 != 0)
            #expect(watchdog.compare(reading) == nil)
        }
    }

    @Test func nothingIsConcludedFromWhatWasSeenBeforeTheSupervisorWasLate() {
        var watchdog = Watchdog()
        for _ in 0..<Watchdog.patience { _ = watchdog.compare(Self.reading(ticks: 1)) }
        watchdog.forget()
        for _ in 0...Watchdog.patience { #expect(watchdog.compare(Self.reading(ticks: 1)) == nil) }
    }
}
