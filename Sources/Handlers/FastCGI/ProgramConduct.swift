// How the program of a pool treats its connections, as far as the host has learnt it.
// SPDX-License-Identifier: Apache-2.0

import Platform
import Synchronization

/// Whether the workers of a pool keep a connection after an answer. One for each pool; any thread asks.
///
/// Rationale: FCGI_KEEP_CONN asks a program to keep its connection, and some ignore it. A request sent
/// into a connection that the program is just closing is lost, and cannot be repeated: a reset does not
/// tell whether it was read. So nobody reuses a connection before the program has once left one open for
/// `Self.trial` seconds after an answer. A program that is seen closing one, or that ends by itself, gets
/// a connection for each request from then on, and is told so by a request without FCGI_KEEP_CONN.
package final class ProgramConduct: Sendable {
    enum Kind: UInt8 {
        case unknown
        case keepsConnections
        case closesConnections
    }

    /// Seconds after its first answers in which a program is watched for closing the connection.
    static let trial = 0.1

    /// [any]
    private let current = Atomic<UInt8>(Kind.unknown.rawValue)
    /// [any] The process that answers for each worker of this host, by the worker's number.
    private let processes = Mutex<[UInt64: Int32]>([:])

    package init() {}

    var kind: Kind {
        // Nothing but raw values is ever stored in it.
        Kind(rawValue: current.load(ordering: .relaxed))!
    }

    /// It left a connection open after an answer. What is known to the contrary outweighs this.
    func leftConnectionOpen() {
        _ = current.compareExchange(
            expected: Kind.unknown.rawValue, desired: Kind.keepsConnections.rawValue,
            ordering: .relaxed)
    }

    /// It closed a connection and answered on the next one, so it lives and does not keep connections.
    func closedConnection() { current.store(Kind.closesConnections.rawValue, ordering: .relaxed) }

    /// The supervisor knows that the program ends by itself.
    package func endsByItself() { closedConnection() }

    // MARK: Processes

    func know(_ id: UInt64, as pid: Int32) { processes.withLock { $0[id] = pid } }

    /// Another process answers for the worker from now on, unless the host has given it back meanwhile.
    package func worker(_ id: UInt64, isProcess pid: Int32) {
        processes.withLock { if $0[id] != nil { $0[id] = pid } }
    }

    func process(of id: UInt64) -> Int32? { processes.withLock { $0[id] } }

    func forget(_ id: UInt64) { _ = processes.withLock { $0.removeValue(forKey: id) } }
}
