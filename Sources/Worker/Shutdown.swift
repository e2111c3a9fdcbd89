// How a worker stops: between two requests, never within one.
// SPDX-License-Identifier: Apache-2.0

package import Platform
import Synchronization

/// The wish to stop, and whom it has to wake.
package final class Shutdown: Sendable {
    private struct State {
        var isStopping = false
        /// The connection on which the worker waits for a request.
        var idle: Int32?
    }

    private let state = Mutex(State())
    private let spoilt = Atomic<Bool>(false)
    private let stopRead: Descriptor
    private let stopWrite: Descriptor

    package init() throws(SystemError) {
        let (read, write) = try Files.pipe()
        stopRead = Descriptor(owning: read)
        stopWrite = Descriptor(owning: write)
    }

    package var isStopping: Bool { state.withLock { $0.isStopping } }

    /// The extension has left the process in a state nobody knows: no more of its code is to run.
    var isSpoilt: Bool { spoilt.load(ordering: .relaxed) }
    func spoil() {
        spoilt.store(true, ordering: .relaxed)
        stop()
    }

    /// Stops the worker when a signal waits on that descriptor; it is only looked at.
    package func watch(_ signals: Int32) throws(SystemError) {
        try Thread.start(named: "signals", stackSize: 128 << 10) { [self] in
            while Socket.wait(signals, for: .readable, milliseconds: -1).isEmpty {}
            stop()
        }
    }

    /// Lets the current request finish, and what has already arrived on its connection.
    package func stop() {
        state.withLock {
            $0.isStopping = true
            if let idle = $0.idle { Socket.shutdownRead(idle) }
        }
        withUnsafeBytes(of: UInt8(0)) { try? Files.writeAll(stopWrite.number, $0) }
    }

    /// False: the worker stops.
    func waitForConnection(_ listener: Int32) -> Bool {
        let (_, stopped) = Socket.wait(
            listener, for: .readable, or: stopRead.number, for: .readable, milliseconds: -1)
        return stopped.isEmpty
    }

    /// Called before the wait for a request. False: there will be none.
    func becomeIdle(_ connection: Int32) -> Bool {
        state.withLock {
            if $0.isStopping { return false }
            $0.idle = connection
            return true
        }
    }

    func becomeBusy() { state.withLock { $0.idle = nil } }
}
