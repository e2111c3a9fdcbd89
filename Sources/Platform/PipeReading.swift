// Bytes from pipes.
// SPDX-License-Identifier: Apache-2.0

import CPlatform
import Glibc

extension Files {
    /// What a read from a pipe came to.
    package enum PipeRead: Equatable, Sendable {
        case bytes(Int)
        /// All writers are gone.
        case end
        case wouldBlock
    }

    /// Reads what is there (man 2 read); a broken pipe is at its end.
    package static func readPipe(
        _ number: Int32, into room: UnsafeMutableRawBufferPointer
    ) -> PipeRead {
        while true {
            let count = Glibc.read(number, room.baseAddress, room.count)
            if count > 0 { return .bytes(count) }
            if count == 0 { return .end }
            switch errno {
            case EINTR: continue
            case EAGAIN: return .wouldBlock
            default: return .end
            }
        }
    }

    /// Everything until the writers are gone, at most `limit` bytes (EFBIG beyond).
    package static func readToEnd(
        _ number: Int32, limit: Int = 16 << 20
    ) throws(SystemError) -> [UInt8] {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65536)
        while bytes.count <= limit {
            let count = try retrying("read") { Glibc.read(number, &chunk, chunk.count) }
            if count == 0 { return bytes }
            bytes.append(contentsOf: chunk[..<count])
        }
        throw SystemError("read", code: EFBIG)
    }

    /// Reads and writes of this open file do not wait any more (man 2 fcntl, O_NONBLOCK).
    package static func setNonBlocking(_ number: Int32) {
        _ = cplatform_set_nonblocking(number, 1)
    }
}
