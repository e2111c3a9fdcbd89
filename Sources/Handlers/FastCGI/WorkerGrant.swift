// The right to use a worker for one request.
// SPDX-License-Identifier: Apache-2.0

/// A worker that an exchange has been given. It is used and released, or gives itself back: it cannot be
/// forgotten.
package struct WorkerGrant: ~Copyable {
    // Unmanaged, because only a type without counted references can end without its deinit. The worker is
    // retained once, by the grant; the pool lives as long as the host.
    private let retained: Unmanaged<WorkerConnection>
    private let pool: Unmanaged<WorkerPool>

    init(_ worker: WorkerConnection, of pool: WorkerPool) {
        retained = .passRetained(worker)
        self.pool = .passUnretained(pool)
    }

    package var worker: WorkerConnection { retained.takeUnretainedValue() }

    /// The request is over: the worker goes to the next one that waits, or away.
    package consuming func release(_ fate: WorkerFate) {
        let worker = retained.takeRetainedValue()
        let pool = pool
        discard self
        pool.takeUnretainedValue().release(worker, fate: fate)
    }

    deinit {
        pool.takeUnretainedValue().release(retained.takeRetainedValue(), fate: .reusable)
    }
}
