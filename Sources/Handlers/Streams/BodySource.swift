// Where a body that is still arriving comes from.
// SPDX-License-Identifier: Apache-2.0

/// What waiting for more of a body has come to.
package enum BodyWait: Equatable, Sendable {
    case bytes
    /// The client has said that no more comes.
    case ended
    /// The client is gone, or sends too slowly: the status that says so.
    case failed(status: Int)
}

/// Brings the rest of a request's body while its handler runs: HTTP/1 implements it, HTTP/2 will.
///
/// The body calls it, on the thread that runs the exchange.
package protocol BodySource: AnyObject {
    /// Bytes that the whole body may have; 413 beyond.
    var limit: Int64 { get }
    /// Calls `take` with what has come and was not taken. `take` says how many bytes it takes.
    func withBytes(_ take: (UnsafeRawBufferPointer) -> Int)
    /// Waits until the client has sent something, or a deadline passes. Holds the thread, and no lock.
    func waitForMore() -> BodyWait
}
