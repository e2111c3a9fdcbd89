// The way of response bytes to the client: a bounded buffer, and a file behind it.
// SPDX-License-Identifier: Apache-2.0

import Synchronization

import Exchange
import Platform

extension Exchange {
    package enum Flushed: Sendable {
        /// Everything is with the kernel.
        case everything
        /// The client reads slowly: a readiness event tells when to go on.
        case blocked
        /// The client is gone.
        case broken
    }

    /// Larger writes go past the buffer.
    private static var directWrite: Int { 16 * 1024 }

    package var hasOutput: Bool { outputStart < output.count || fileLeft > 0 }

    /// Sends what the kernel takes now; never waits.
    package func flush() -> Flushed {
        lock.withLock { _ in flushLocked() }
    }

    /// Called every now and then by the monitor, while any thread may be writing: sends what has lain in
    /// the buffer since the call before.
    package func flushStale() {
        lock.withLock { _ in
            guard hasOutput, socket >= 0 else { return }
            if staleMark == writes { _ = flushLocked() }
            staleMark = writes
        }
    }

    private func flushLocked() -> Flushed {
        while outputStart < output.count {
            let result = output.withUnsafeBytes {
                Socket.send(
                    socket, UnsafeRawBufferPointer(rebasing: $0[outputStart...]), more: fileLeft > 0
                )
            }
            switch result {
            case .bytes(let count): outputStart += count
            case .wouldBlock: return .blocked
            case .end, .failed: return breakOff()
            }
        }
        output.removeAll(keepingCapacity: true)
        outputStart = 0
        return flushFile()
    }

    private func flushFile() -> Flushed {
        while fileLeft > 0 {
            let number: Int32
            switch file {
            case .some(let descriptor): number = descriptor.number
            case nil: return breakOff()
            }
            // A bounded piece, so that one large file does not keep the thread from everybody else's.
            let piece = Int(min(fileLeft, 4 << 20))
            switch Socket.sendFile(socket, from: number, offset: &fileOffset, count: piece) {
            case .bytes(let count): fileLeft -= Int64(count)
            case .wouldBlock: return .blocked
            case .end:
                // The file was truncated while it was served (P6): the client must notice.
                isCut = true
                fileLeft = 0
            case .failed: return breakOff()
            }
        }
        file = nil
        return .everything
    }

    private func breakOff() -> Flushed {
        isBroken = true
        forgetOutput()
        return .broken
    }

    /// Drops what has not been sent; a buffer that has grown large goes back to the system.
    func forgetOutput() {
        output.removeAll(keepingCapacity: output.capacity <= 64 * 1024)
        outputStart = 0
        fileLeft = 0
        file = nil
    }

    /// Buffers or sends body bytes as they are.
    func send(_ bytes: UnsafeRawBufferPointer) -> Bool {
        lock.withLock { _ in
            guard makeRoom() else { return false }
            var rest = bytes
            if bytes.count >= Self.directWrite { rest = sendDirectly(bytes) }
            output.append(contentsOf: rest)
            return !isBroken
        }
    }

    func sendChunk(_ bytes: UnsafeRawBufferPointer) -> Bool {
        lock.withLock { _ in
            guard makeRoom() else { return false }
            appendHexadecimal(bytes.count)
            output.append("\r\n")
            var rest = bytes
            if bytes.count >= Self.directWrite { rest = sendDirectly(bytes) }
            output.append(contentsOf: rest)
            output.append("\r\n")
            return !isBroken
        }
    }

    func queueFile(_ file: consuming Descriptor, offset: Int64, count: Int64) -> Bool {
        let number = file.take()
        return lock.withLock { _ in
            let file = Descriptor(owning: number)
            guard makeRoom() else { return false }
            self.file = consume file
            fileOffset = offset
            fileLeft = count
            return true
        }
    }

    /// Sends the buffer and these bytes in one call; gives back what the kernel did not take.
    private func sendDirectly(_ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        let nothing = UnsafeRawBufferPointer(start: nil, count: 0)
        let buffered = output.count - outputStart
        let result = output.withUnsafeBytes {
            Socket.send(socket, UnsafeRawBufferPointer(rebasing: $0[outputStart...]), bytes)
        }
        switch result {
        case .bytes(let count) where count >= buffered:
            output.removeAll(keepingCapacity: true)
            outputStart = 0
            return UnsafeRawBufferPointer(rebasing: bytes[(count - buffered)...])
        case .bytes(let count):
            outputStart += count
            return bytes
        case .wouldBlock:
            return bytes
        case .end, .failed:
            _ = breakOff()
            return nothing
        }
    }

    /// Keeps the buffer within its bound: flushes, and waits for a slow client when it must.
    ///
    /// A file that was queued goes out first. False: the client is gone or reads nothing for too long.
    private func makeRoom() -> Bool {
        writes &+= 1
        guard !isBroken else { return false }
        if fileLeft == 0 && output.count - outputStart < Self.directWrite { return true }
        if flushLocked() == .broken { return false }
        guard fileLeft > 0 || output.count - outputStart > limits.responseBuffer else {
            return true
        }
        while hasOutput {
            let milliseconds = Int32(clamping: Int(limits.sendTimeout * 1000))
            let ready = Socket.wait(socket, for: .writable, milliseconds: milliseconds)
            if ready.isEmpty || flushLocked() == .broken {
                _ = breakOff()
                return false
            }
        }
        return true
    }

    private func appendHexadecimal(_ value: Int) {
        var shift = 60
        while shift > 0 && (value >> shift) & 15 == 0 { shift -= 4 }
        while shift >= 0 {
            let digit = UInt8((value >> shift) & 15)
            output.append(digit < 10 ? 0x30 + digit : 0x61 + digit - 10)
            shift -= 4
        }
    }
}
