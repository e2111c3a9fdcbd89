// Where a response goes, whatever carries it.
// SPDX-License-Identifier: Apache-2.0

package import Exchange
package import Platform

/// The way of one response to its client: HTTP/1 implements it, HTTP/2 will; compression, output cache
/// and custom errors are streams around a stream.
///
/// The exchange calls it, from one thread at a time, with what `ResponseFraming` lets pass. Bytes go to
/// memory up to a bound, then to an unnamed file up to a bound; only beyond both does a call wait, without
/// a lock, until the client has taken half of it or is given up.
package protocol ResponseStream: AnyObject {
    /// Sends the head, once, before any byte of the body. False: the client is gone.
    func sendHead(_ head: borrowing ResponseHead, _ form: ResponseFraming.Form) -> Bool
    /// Sends bytes of the body, already without any coding of a handler's. False: the client is gone.
    func write(_ bytes: UnsafeRawBufferPointer) -> Bool
    /// Sends part of a file as body bytes, when the client takes them. False: the client is gone.
    func sendFile(_ file: consuming Descriptor, offset: Int64, count: Int64) -> Bool
    /// The response is complete.
    func finish(_ ending: ResponseFraming.Ending)
    /// The response ends here, and the client must be able to tell that it is not whole. Any thread may
    /// call this, also while another one waits in `write`, which then returns false.
    func cut()
    /// False once the client has reset its connection, or was given up. Costs next to nothing. A client
    /// that has only ended its own stream is connected (RFC 9112 §9.6).
    var isConnected: Bool { get }
}
