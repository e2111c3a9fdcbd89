// What has to be done now and then and may block.
// SPDX-License-Identifier: Apache-2.0

import Handlers
import Platform

/// A thread that looks after pools and listeners, so that the clock need not wait for anybody.
struct Housekeeping {
    let host: Host
    let pools: [WorkerPool]

    private static let interval = 100

    func start() throws(SystemError) {
        try Thread.start(named: "mortise keeper") { [self] in
            while true {
                Thread.sleep(milliseconds: Self.interval)
                let now = Instant.now
                for pool in pools { pool.expire(now) }
                for shard in host.shards { shard.resumeAccepting() }
            }
        }
    }
}
