// The host's one connection to one worker process.
// SPDX-License-Identifier: Apache-2.0

import Exchange
package import Platform

/// A worker process as the host knows it: who it is, the socket to it, and the memory its relays reuse.
package final class WorkerConnection: @unchecked Sendable {
    // because it has one user at a time: the pool while it is idle, then the thread that relays.

    /// The supervisor's name for the process, never used twice.
    package let id: UInt64
    package let pid: Int32
    /// Index into `Settings.pools`.
    package let pool: Int
    /// A blocking stream socket with short time-outs.
    package let socket: Descriptor
    /// Requests the worker has been sent, by this host.
    package var requestsServed = 0

    /// What is to be sent: one request's first records, then its body piece by piece.
    var output: [UInt8] = []
    let input = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 * 1024, alignment: 64)
    var collector = HeadCollector()
    /// The last response's head. In memory of its own: an array in a property is counted at each use.
    let head = UnsafeMutablePointer<ResponseHead>.allocate(capacity: 1)
    var scratch = Variables.Scratch()
    /// Encoded parameters that all requests of one mapping share, and which mapping that is.
    var constants: [UInt8] = []
    var constantsOf: ObjectIdentifier?
    /// One value, and the content of a record that is read as a whole.
    var value: [UInt8] = []
    var record: [UInt8] = []
    var errors = ErrorLines()
    private var lastRequestID: UInt16 = 0

    package init(id: UInt64, pid: Int32, pool: Int, socket: consuming Descriptor) {
        self.id = id
        self.pid = pid
        self.pool = pool
        self.socket = socket
        // A blocking call returns this often, to look at deadlines and at the client.
        Socket.setReceiveTimeout(self.socket.number, milliseconds: 100)
        Socket.setSendTimeout(self.socket.number, milliseconds: 100)
        output.reserveCapacity(16 * 1024)
        head.initialize(to: ResponseHead())
    }

    deinit {
        input.deallocate()
        head.deinitialize(count: 1)
        head.deallocate()
    }

    /// The next request's id: another one each time, so that late records of the request before are
    /// recognised.
    func nextRequestID() -> UInt16 {
        lastRequestID = lastRequestID == .max ? 1 : lastRequestID + 1
        return lastRequestID
    }
}
