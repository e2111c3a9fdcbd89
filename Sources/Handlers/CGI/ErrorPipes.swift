// Where the standard errors of scripts go to.
// SPDX-License-Identifier: Apache-2.0

import Platform
import Synchronization

/// Pipes for standard errors. A script's end needs no end of its errors, so the next script may get the
/// same pipe: two calls and two descriptors less for each.
final class ErrorPipes: Sendable {
    /// Both ends; whoever has them closes them or gives them back.
    struct Pipe: Sendable {
        let read: Int32
        let write: Int32

        func close() {
            closeDescriptor(read)
            closeDescriptor(write)
        }
    }

    private static let most = 16
    private let idle = Mutex<[Pipe]>([])

    func take() throws(SystemError) -> Pipe {
        if let pipe = idle.withLock({ $0.popLast() }) { return pipe }
        let ends = try Files.pipe()
        return Pipe(read: ends.read, write: ends.write)
    }

    /// Takes back a pipe nobody writes to any more, unless a script has left it changed.
    func put(_ pipe: Pipe) {
        let isKept =
            !Files.isNonBlocking(pipe.write)
            && idle.withLock { idle in
                guard idle.count < Self.most else { return false }
                idle.append(pipe)
                return true
            }
        if !isKept { pipe.close() }
    }

    deinit { for pipe in idle.withLock({ $0 }) { pipe.close() } }
}
