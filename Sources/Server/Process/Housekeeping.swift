// What has to be done now and then and may block.
// SPDX-License-Identifier: Apache-2.0

import ExtensionHost
import Handlers
import Platform

/// A thread that looks after pools and listeners, so that the clock need not wait for anybody.
struct Housekeeping {
    let host: Host
    let pools: [WorkerPool]
    var handlers: [ExtensionHandler] = []
    /// Told of each call that was ended with its thread; `isTooMuch`: the host has lost so many that it should
    /// be replaced.
    var whenWrittenOff: @Sendable (_ call: WrittenOffCall, _ isTooMuch: Bool) -> Void = { _, _ in }

    private static let interval = 100
    /// Every so many intervals it looks for newcomers that nobody has been told of.
    private static let rounds = 10

    func start() throws(SystemError) {
        try Thread.start(named: "mortise keeper") { [self] in
            for round in 1... {
                Thread.sleep(milliseconds: Self.interval)
                let now = Instant.now
                for pool in pools { pool.expire(now) }
                for handler in handlers { handler.expire(now) }
                for shard in host.shards { shard.resumeAccepting() }
                for call in WrittenOffCall.takeOverdue(now) {
                    whenWrittenOff(call, host.hasLostTooManyThreads)
                }
                guard round % Self.rounds == 0 else { continue }
                for shard in host.shards { shard.watchForgotten() }
            }
        }
    }
}
