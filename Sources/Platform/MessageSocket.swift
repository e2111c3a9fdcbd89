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
        /// Descriptors came with it and could not be had, because this process has too many: this message
        /// cannot be carried out, the next ones can.
        package var isCut = false
    }

    /// What came of an attempt to send.
    package enum Attempt: Equatable, Sendable {
        case sent
        /// The peer has not read what is before it: the socket becomes writable when there is room.
        case full
        /// Too many descriptors are on their way, or the kernel has no memory: later.
        case exhausted
        /// The peer has closed its end, or has died.
        case gone
        /// This message cannot be sent; errno.
        case failed(Int32)
    }

    /// Sends one message if there is room for it now. The descriptors stay the caller's.
    package func trySend(_ bytes: [UInt8], descriptors: [Int32] = []) -> Attempt {
        bytes.withUnsafeBytes { bytes in
            descriptors.withUnsafeBufferPointer { trySend(bytes, descriptors: $0) }
        }
    }

    /// The same; async-signal-safe.
    package func trySend(
        _ bytes: UnsafeRawBufferPointer, descriptors: UnsafeBufferPointer<Int32>
    ) -> Attempt {
        while true {
            let sent = cplatform_send_message(
                descriptor.number, bytes.baseAddress, bytes.count, descriptors.baseAddress,
                descriptors.count, Int32(MSG_DONTWAIT))
            if sent >= 0 { return .sent }
            let code = errno
            switch code {
            case EINTR: continue
            case EAGAIN: return .full
            case ENOBUFS, ENOMEM, ETOOMANYREFS: return .exhausted
            case EPIPE, ECONNRESET, ENOTCONN: return .gone
            default: return .failed(code)
            }
        }
    }

    /// Sends one message. The descriptors stay the caller's. Waits at most `milliseconds` for room.
    package func send(
        _ bytes: [UInt8], descriptors: [Int32] = [], milliseconds: Int32 = 5000
    ) throws(SystemError) {
        let deadline = Instant.now.adding(seconds: Double(milliseconds) / 1000)
        while true {
            switch trySend(bytes, descriptors: descriptors) {
            case .sent: return
            case .gone: throw SystemError("sendmsg", code: EPIPE)
            case .failed(let code): throw SystemError("sendmsg", code: code)
            case .full, .exhausted:
                let left = deadline.pollTimeout()
                if left == 0 { throw SystemError("sendmsg", code: EAGAIN) }
                // A socket whose references are exhausted is writable all the same.
                _ = Socket.wait(descriptor.number, for: .writable, milliseconds: min(left, 50))
            }
        }
    }

    /// The next message; nil when none is there (`wait` false) or the peer is gone (`.end` by empty bytes).
    ///
    /// A peer that dies with unread messages makes one call fail with ECONNRESET; what it had sent before
    /// is still there, so that is no error but a reason to ask again.
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
                if code == EINTR || code == ECONNRESET { continue }
                used = max(0, received)
                return
            }
        }
        if code == EAGAIN { return nil }
        if code != 0 { throw SystemError("recvmsg", code: code) }
        if truncated == 0 {
            return Message(bytes: bytes, descriptors: Array(descriptors[..<count]))
        }
        for descriptor in descriptors[..<count] { _ = Glibc.close(descriptor) }
        if truncated & Int32(CPLATFORM_CUT_BYTES) != 0 {
            throw SystemError("recvmsg", code: EMSGSIZE)
        }
        return Message(bytes: bytes, descriptors: [], isCut: true)
    }
}

/// Closes a descriptor that was owned as a plain number.
package func closeDescriptor(_ number: Int32) { _ = Glibc.close(number) }
