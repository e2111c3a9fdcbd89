// What a connection works with while something is going on.
// SPDX-License-Identifier: Apache-2.0

/// Memory and conduct of the protocol that an active connection speaks. The one who has the connection's
/// turn calls it.
///
/// An idle connection of HTTP/1 has none of it; one after the other uses the same, see `HTTP1WorkingSet`.
class WorkingSet {
    /// Belongs to this connection from now on.
    func begin(_ connection: Connection) { preconditionFailure("a working set of no protocol") }

    /// Goes on until something has to be waited for.
    func run(
        _ connection: Connection, on thread: ShardThread, _ causes: Schedulable.Causes
    ) -> Connection.RunEnd {
        preconditionFailure("a working set of no protocol")
    }

    /// The connection's deadline has passed. Nil: it goes on.
    func expire(_ connection: Connection, on thread: ShardThread) -> Connection.RunEnd? {
        preconditionFailure("a working set of no protocol")
    }

    /// Lets go of the connection, and is there for others; `thread` is nil on threads of no shard.
    func end(_ connection: Connection, on thread: ShardThread?) {
        preconditionFailure("a working set of no protocol")
    }
}
