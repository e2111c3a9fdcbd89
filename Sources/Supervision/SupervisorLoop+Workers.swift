// How many workers of all pools may start at a time, and when pools have something to do.
// SPDX-License-Identifier: Apache-2.0

import Platform

extension SupervisorLoop {
    /// Starts a worker now, or answers the ledger later: nil.
    func startWorker(of pool: PoolProcesses) -> PoolLedger.Event? {
        let now = Instant.now
        guard waitingStarts.isEmpty, workerStarts.take(now: now) else {
            waitingStarts.append(pool.key)
            times[.startWorkers] = workerStarts.next(now: now)
            return nil
        }
        remakeFolder()
        return spawn(pool)
    }

    func startWaitingWorkers(_ now: Instant) {
        remakeFolder()
        while let key = waitingStarts.first, workerStarts.take(now: now) {
            waitingStarts.removeFirst()
            if let pool = livingPools[key] { apply(spawn(pool), to: pool) }
        }
        if !waitingStarts.isEmpty { times[.startWorkers] = workerStarts.next(now: now) }
    }

    /// Those who still want one will ask again.
    func cancelWorkerStarts(where isCancelled: (UInt64) -> Bool) {
        let cancelled = waitingStarts.filter(isCancelled)
        waitingStarts.removeAll(where: isCancelled)
        for pool in cancelled.compactMap({ livingPools[$0] }) { apply(.spawnCancelled, to: pool) }
    }

    /// After everything that has happened to the pool.
    func scheduleTick(of pool: PoolProcesses) {
        let isLiving = livingPools[pool.key] != nil
        times[.pool(pool.key)] = isLiving ? pool.ledger.deadline(now: .now) : .never
    }
}
