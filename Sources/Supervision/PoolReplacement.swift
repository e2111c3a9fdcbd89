// A worker on its way out, and the one that comes for it.
// SPDX-License-Identifier: Apache-2.0

/// The exchange of one worker of a pool:
///
///     wanted ──spawn──► spawning ──spawned──► starting ──accepted──► ready: the old one goes when it is idle
///        │                 │ failed              │ failed
///        └─── old one gone ┴─────────────────────┴──► over: the old one stays
struct PoolReplacement: Sendable, Equatable {
    enum Successor: Sendable, Equatable {
        case wanted
        case spawning
        case starting(PoolLedger.WorkerID)
        /// It has accepted its connection, and the old one has been told to go.
        case ready
    }

    let old: PoolLedger.WorkerID
    var successor = Successor.wanted
}
