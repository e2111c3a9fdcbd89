// What has to be done now and then and may block.
// SPDX-License-Identifier: Apache-2.0

import Handlers
import Platform

/// A thread that looks after pools and listeners, so that the clock need not wait for anybody.
struct Housekeeping {
    let host: Host
    let pools: [WorkerPool]

    private static let interval = 100
    /// Every so many intervals it looks for newcomers that nobody has been told of.
    private static let rounds = 10

    func start() throws(SystemError) {
        try Thread.start(named: "mortise keeper") { [self] in
            for round in 1... {
                Thread.sleep(milliseconds: Self.interval)
                let now = Instant.now
                for pool in pools { pool.expire(now) }
                for shard in host.shards { shard.resumeAccepting() }
                guard round % Self.rounds == 0 else { continue }
                for shard in host.shards { shard.watchForgotten() }
            }
        }
    }
}
