// What a host writes into its page is what its supervisor reads, and nothing it does to it hurts.
// SPDX-License-Identifier: Apache-2.0

import Control
import Platform
import Testing

struct HealthPageTests {
    @Test func supervisorSeesWhatTheHostWrites() throws {
        let file = try HealthPage.makeFile()
        let page = try HealthPage(mapping: file)
        #expect(HealthPage.read(file.number).ticks == 0)
        page.tick()
        page.tick()
        page.countTurn(ofShard: 1)
        page.setOldestReady(.now, ofShard: 2)
        let reading = HealthPage.read(file.number)
        #expect(reading.ticks == 2)
        #expect(reading.shards[0] == .init(turns: 0, hasReadyWork: false))
        #expect(reading.shards[1] == .init(turns: 1, hasReadyWork: false))
        #expect(reading.shards[2] == .init(turns: 0, hasReadyWork: true))
        page.setOldestReady(nil, ofShard: 2)
        #expect(HealthPage.read(file.number).shards[2].hasReadyWork == false)
    }

    @Test func shardsBeyondThePageAreNotWatched() throws {
        let file = try HealthPage.makeFile()
        let page = try HealthPage(mapping: file)
        for shard in [-1, HealthPage.mostShards, .max] {
            page.countTurn(ofShard: shard)
            page.setOldestReady(.now, ofShard: shard)
        }
        #expect(HealthPage.read(file.number) == HealthPage.read(try HealthPage.makeFile().number))
    }

    @Test func pageThatIsNoneIsRefusedByTheHostAndReadAsZeros() throws {
        let file = try Files.memory(named: "cut")
        #expect(throws: SystemError.self) { try HealthPage(mapping: file) }
        #expect(HealthPage.read(file.number).ticks == 0)
        #expect(HealthPage.read(file.number).shards.count == HealthPage.mostShards)
        #expect(HealthPage.read(-1).ticks == 0)
    }
}
