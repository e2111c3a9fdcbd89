// What answers exchanges.
// SPDX-License-Identifier: Apache-2.0

package import Exchange
import Platform

/// How a handler left an exchange.
package enum Answer: Sendable {
    /// The response is complete, or the exchange has failed: it is over for the handler.
    case done
    /// It waits without a thread: the exchange's state says where, and who ends the wait resumes it.
    case parked
    /// The answer is what this server says to another path (RFC 3875 §6.2.2).
    case redirect(to: [UInt8])
    /// The site's mapping with that index answers: a folder's index file belongs to it.
    case handOver(to: Int)
}

/// Answers exchanges: files, an extension, a pool, scripts. Lives as long as the host; any thread calls.
///
/// A new kind of answer is one file that implements this and one line in `HandlerTable`.
package protocol Handler: AnyObject, Sendable {
    /// Whether the request's body is received for it.
    func takesBody(of request: Request) -> Bool
    /// Answers the exchange on the calling thread, which may be blocked meanwhile.
    func answer(_ exchange: Exchange) -> Answer
    /// Goes on with an exchange that it had parked: `arrival` holds what came.
    func resume(_ exchange: Exchange) -> Answer
    /// The client of a parked exchange has gone. True: it waits no longer, and nothing will arrive; false:
    /// something is arriving just now.
    func withdraw(_ exchange: Exchange) -> Bool
}

extension Handler {
    package func takesBody(of request: Request) -> Bool { true }

    package func resume(_ exchange: Exchange) -> Answer {
        preconditionFailure("a handler that parks no exchange was to resume one")
    }

    package func withdraw(_ exchange: Exchange) -> Bool { false }
}
