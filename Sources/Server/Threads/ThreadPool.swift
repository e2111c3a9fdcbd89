// How many threads the pool has: more when ready work waits, fewer when they have nothing to do.
// SPDX-License-Identifier: Apache-2.0

import Platform
import Synchronization

/// Decides whether one more thread is worth having.
struct GrowthRule {
    private var looks = 0

    /// One look at the pool. Two in a row with work waiting and processors idle for want of a thread that
    /// could run: one more thread. A pool whose threads all compute would only get slower.
    mutating func look(waiting: Int, hasReadyWork: Bool, isComputing: @autoclosure () -> Bool)
        -> Bool
    {
        guard waiting == 0, hasReadyWork, !isComputing() else {
            looks = 0
            return false
        }
        looks += 1
        return looks >= 2
    }

    /// Whether the next look should come soon.
    var isWatching: Bool { looks > 0 }
}

/// The threads of the pool.
final class ThreadPool: Sendable {
    private let threads = Mutex<[PoolThread]>([])
    private let most: Int

    init(most: Int) { self.most = most }

    var count: Int { threads.withLock { $0.count } }

    /// The number of threads that wait for an event now; forgets those that have left.
    func countWaiting() -> Int {
        threads.withLock { threads in
            threads.removeAll { $0.hasLeft.load(ordering: .acquiring) }
            return threads.count { $0.isWaiting.load(ordering: .relaxed) }
        }
    }

    /// Whether as many threads as there are processors are running or could run now.
    func isComputing(processors: Int) -> Bool {
        let numbers = threads.withLock { threads in
            threads.map { $0.number.load(ordering: .relaxed) }
        }
        var running = 0
        for number in numbers where Thread.isRunnable(number) {
            running += 1
            if running >= processors { return true }
        }
        return false
    }

    /// A thread that has begun no event since the last look although it has taken some; called by the
    /// monitor alone, about every 20 ms. Nil when there is none, or no thread to give its events to.
    func findStuck() -> PoolThread? {
        threads.withLock { threads in
            guard threads.count < most else { return nil }
            var stuck: PoolThread?
            for thread in threads {
                let progress = thread.progress.load(ordering: .relaxed)
                if progress == thread.lastProgress && !thread.batch.isEmpty { stuck = thread }
                thread.lastProgress = progress
            }
            return stuck
        }
    }

    /// Starts one more; false when the pool is at its limit. EAGAIN when the system has no more.
    func grow(
        server: HostServer, isPermanent: Bool, with events: EventBatch? = nil
    ) throws(SystemError) -> Bool {
        let thread = PoolThread(server: server, isPermanent: isPermanent)
        if let events { thread.batch.take(from: events) }
        let number: Int? = threads.withLock { threads in
            guard threads.count < most else { return nil }
            threads.append(thread)
            return threads.count
        }
        guard let number else { return false }
        do throws(SystemError) {
            try Thread.start(named: "mortise pool \(number)", stackSize: 1 << 20) { thread.run() }
        } catch {
            thread.hasLeft.store(true, ordering: .releasing)
            // Events must not be lost: the caller begins them itself.
            thread.runBatch()
            throw error
        }
        return true
    }
}
