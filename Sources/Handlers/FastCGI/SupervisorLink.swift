// The host's line to the supervisor.
// SPDX-License-Identifier: Apache-2.0

package import Control
package import Platform

/// Sends what the host wants, receives what the supervisor says. Any thread may send; one receives.
package final class SupervisorLink: Sendable {
    private let socket: MessageSocket
    private let bequest = HostMessage.bequeathed.encoded()

    package init(_ socket: MessageSocket) { self.socket = socket }

    /// The line a host finds at descriptor 3, moved to where nobody expects it and close-on-exec.
    package static func inherited() throws(SystemError) -> SupervisorLink {
        let inherited = Descriptor(owning: 3)
        return SupervisorLink(MessageSocket(try inherited.duplicate()))
    }

    /// False when the message could not be sent: it is too large (EMSGSIZE), or the supervisor is gone,
    /// which the receiving thread learns too. The descriptors stay the caller's.
    @discardableResult
    package func send(_ message: HostMessage, descriptors: [Int32] = []) -> Bool {
        do throws(SystemError) {
            try socket.send(message.encoded(), descriptors: descriptors)
            return true
        } catch {
            return false
        }
    }

    /// Leaves connections to whoever serves next, up to `MessageSocket.mostDescriptors`; async-signal-safe.
    package func bequeath(_ descriptors: UnsafeBufferPointer<Int32>) -> MessageSocket.Attempt {
        bequest.withUnsafeBytes { socket.trySend($0, descriptors: descriptors) }
    }

    package struct Received: Sendable {
        package var message: SupervisorMessage
        /// Owned by the receiver, who closes them.
        package var descriptors: [Int32]
        /// Descriptors came with it and could not be had: the message cannot be carried out.
        package var isCut: Bool
    }

    /// Waits for the next message. Nil: the supervisor is gone, and the host has no reason to live.
    package func receive() -> Received? {
        guard let next = try? socket.receive(wait: true), !next.bytes.isEmpty,
            let message = try? SupervisorMessage(decoding: next.bytes)
        else { return nil }
        return Received(message: message, descriptors: next.descriptors, isCut: next.isCut)
    }

    /// What a host is started with.
    package struct Start: Sendable {
        /// The configuration file's absolute path; relative paths in it start from its folder.
        package var configurationName: String
        /// A host has served the same before.
        package var isReplacement: Bool
        package var text: String
        /// `SupervisorMessage.verdict`, one for each extension.
        package var verdicts: [SupervisorMessage]
        package var health: HealthPage
        package var lines: GatheredLines
        /// In the order of `Settings.listeners`; owned by the receiver.
        package var listeners: [Int32]
    }

    /// Waits for the first message, however long: a spare host gets it when it is needed. Nil: there is
    /// no supervisor, or it does not want this host any more.
    package func waitForStart() -> Start? {
        var first: (name: String, isReplacement: Bool)?
        var descriptors: [Int32] = []
        var verdicts: [SupervisorMessage] = []
        while true {
            let next = receive()
            if let next, case .verdict = next.message {
                verdicts.append(next.message)
                continue
            }
            guard let next, !next.isCut, case .start(let name, let isReplacement) = next.message
            else {
                for descriptor in descriptors { closeDescriptor(descriptor) }
                return nil
            }
            first = first ?? (name, isReplacement)
            descriptors += next.descriptors
            // More than fit beside one message: a message with fewer is the last.
            if next.descriptors.count < SupervisorMessage.startBatch { break }
        }
        guard let first, descriptors.count >= 4 else { return nil }
        let file = Descriptor(owning: descriptors[0])
        let page = Descriptor(owning: descriptors[1])
        let memory = Descriptor(owning: descriptors[2])
        let faults = Descriptor(owning: descriptors[3])
        // Without a record of what goes wrong the host serves all the same.
        try? FaultRecorder.start(
            faults, telling: socket.descriptor.number, HostMessage.faulted.encoded())
        guard let bytes = try? Files.contents(of: file.number),
            let health = try? HealthPage(mapping: page),
            let lines = try? GatheredLines(mapping: memory)
        else { return nil }
        return Start(
            configurationName: first.name, isReplacement: first.isReplacement,
            text: String(decoding: bytes, as: UTF8.self),
            verdicts: verdicts, health: health, lines: lines,
            listeners: Array(descriptors.dropFirst(4)))
    }
}
