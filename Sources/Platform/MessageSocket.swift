// Whole messages with descriptors over a socket pair.
// SPDX-License-Identifier: Apache-2.0

import CPlatform
import Glibc

/// One end of a SOCK_SEQPACKET pair: each send is one message, with descriptors beside its bytes.
package final class MessageSocket: Sendable {
    /// The most bytes of one message.
    package static let largestMessage = 160 * 1024
    /// The most descriptors beside one message.
    package static let mostDescriptors = 64

    package let descriptor: Descriptor

    package init(_ descriptor: consuming Descriptor) {
        self.descriptor = descriptor
        // Room for a few of the largest messages; the kernel caps it at wmem_max.
        Socket.setOption(self.descriptor.number, SOL_SOCKET, SO_SNDBUF, 1 << 20)
    }

    package struct Message: Sendable {
        package var bytes: [UInt8]
        /// Owned by the receiver, who closes them.
        package var descriptors: [Int32]
    }

    /// Sends one message. The descriptors stay the caller's. Waits at most `milliseconds` for room.
    package func send(
        _ bytes: [UInt8], descriptors: [Int32] = [], milliseconds: Int32 = 5000
    ) throws(SystemError) {
        let deadline = Instant.now.adding(seconds: Double(milliseconds) / 1000)
        while true {
            let sent = bytes.withUnsafeBytes { buffer in
                cplatform_send_message(
                    descriptor.number, buffer.baseAddress, buffer.count, descriptors,
                    descriptors.count,
                    Int32(MSG_DONTWAIT))
            }
            if sent >= 0 { return }
            let code = errno
            if code == EINTR { continue }
            guard code == EAGAIN || code == ENOBUFS || code == ETOOMANYREFS else {
                throw SystemError("sendmsg", code: code)
            }
            let left = deadline.pollTimeout()
            if left == 0 { throw SystemError("sendmsg", code: code) }
            _ = Socket.wait(descriptor.number, for: .writable, milliseconds: min(left, 50))
        }
    }

    /// The next message; nil when none is there (`wait` false) or the peer is gone (`.end` by empty bytes).
    ///
    /// A message that was cut is EMSGSIZE: its descriptors are closed.
    package func receive(wait: Bool) throws(SystemError) -> Message? {
        var descriptors = [Int32](repeating: -1, count: Self.mostDescriptors)
        var count = descriptors.count
        var truncated: Int32 = 0
        let flags = wait ? 0 : Int32(MSG_DONTWAIT)
        var code: Int32 = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: Self.largestMessage) { room, used in
            while true {
                count = descriptors.count
                let received = cplatform_receive_message(
                    self.descriptor.number, room.baseAddress, room.count, &descriptors, &count,
                    &truncated, flags)
                code = received < 0 ? errno : 0
                if code == EINTR { continue }
                used = max(0, received)
                return
            }
        }
        if code == EAGAIN { return nil }
        if code != 0 { throw SystemError("recvmsg", code: code) }
        if truncated != 0 {
            for descriptor in descriptors[..<count] { _ = Glibc.close(descriptor) }
            throw SystemError("recvmsg", code: EMSGSIZE)
        }
        return Message(bytes: bytes, descriptors: Array(descriptors[..<count]))
    }
}

/// Closes a descriptor that was owned as a plain number.
package func closeDescriptor(_ number: Int32) { _ = Glibc.close(number) }
