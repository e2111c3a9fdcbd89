// Workers of all pools: started at a bearable rate, and asked after when something is due.
// SPDX-License-Identifier: Apache-2.0

import Platform

extension SupervisorLoop {
    /// Starts a worker now, or answers the ledger later: nil.
    func startWorker(of pool: PoolProcesses) -> PoolLedger.Event? {
        let now = Instant.now
        guard workerStarts.admits(pool.key, now: now) else {
            times[.startWorkers] = workerStarts.deadline(now: now)
            return nil
        }
        remakeFolder()
        return spawn(pool)
    }

    func startWaitingWorkers(_ now: Instant) {
        remakeFolder()
        while let key = workerStarts.next(now: now) {
            if let pool = livingPools[key] { apply(spawn(pool), to: pool) }
        }
        times[.startWorkers] = workerStarts.deadline(now: now)
    }

    /// Those who still want one will ask again.
    func cancelWorkerStarts(where isCancelled: (UInt64) -> Bool) {
        for key in workerStarts.cancel(where: isCancelled) {
            if let pool = livingPools[key] { apply(.spawnCancelled, to: pool) }
        }
    }

    /// After everything that has happened to the pool.
    func scheduleTick(of pool: PoolProcesses) {
        let isLiving = livingPools[pool.key] != nil
        times[.pool(pool.key)] = isLiving ? pool.ledger.deadline(now: .now) : .never
    }
}
