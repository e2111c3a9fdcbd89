// What hosts are told.
// SPDX-License-Identifier: Apache-2.0

import Control
import Platform

extension SupervisorLoop {
    // MARK: Telling

    func tell(_ host: HostProcess, _ message: SupervisorMessage) {
        send(Outbox.Letter(bytes: message.encoded()), to: host)
    }

    func tell(
        _ host: HostProcess, _ message: SupervisorMessage, passing descriptor: consuming Descriptor
    ) {
        tell(host, message, passing: SharedDescriptor(descriptor))
    }

    func tell(
        _ host: HostProcess, _ message: SupervisorMessage, passing descriptor: SharedDescriptor
    ) {
        send(
            Outbox.Letter(
                bytes: message.encoded(), descriptors: [descriptor.descriptor.number],
                owners: [descriptor]), to: host)
    }

    /// Sends now what there is room for, and the rest when the host has read; a host that never reads is
    /// killed, because it would miss what it must know.
    func send(_ letter: Outbox.Letter, to host: HostProcess) {
        guard host.state != .killed, !host.isDeaf else { return }
        host.outbox.append(letter)
        flush(host.id)
        // A host that starts gets all of its configuration; its time is limited.
        guard host.outbox.isOverfull, host.state != .starting else { return }
        host.complaint = "was killed because it left \(host.outbox.count) messages unread"
        if host.id != current {
            log.log(.error, "host \(host.process.pid) \(host.complaint!)")
        }
        kill(host)
    }

    func flush(_ id: UInt64) {
        guard let host = hosts[id], host.state != .killed, !host.isDeaf else { return }
        let socket = host.socket
        let log = log
        let result = host.outbox.flush(
            { socket.trySend($0.bytes, descriptors: $0.descriptors) },
            unsendable: { code in
                let error = SystemError("sendmsg", code: code)
                log.log(.error, "a message to host \(host.process.pid) cannot be sent: \(error)")
            })
        // Of a host that has gone its handle tells.
        if host.isWaitingForRoom != (result == .full) {
            host.isWaitingForRoom = result == .full
            watch(socket.descriptor.number, isWritable: host.isWaitingForRoom)
        }
        if result == .exhausted { times[.flush(id)] = Instant.now.adding(seconds: 0.01) }
    }
}
