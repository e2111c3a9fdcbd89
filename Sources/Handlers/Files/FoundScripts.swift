// Scripts that stood in the file system a moment ago.
// SPDX-License-Identifier: Apache-2.0

import Exchange
import Platform
import Synchronization

/// Remembers for a twentieth of a second that a path led to a regular file.
///
/// Rationale: a site's busy scripts are few, and three system calls a request to look for each are a good
/// part of what relaying it costs. Only that a file is there is remembered, never that none is; whoever
/// runs the script opens it anew.
final class FoundScripts: Sendable {
    private struct Entry {
        var path: [UInt8] = []
        var until = Instant(nanoseconds: 0)
    }

    private static let seconds = 0.05
    private static let places = 64
    /// A longer path is looked for each time.
    private static let longest = 256

    private let entries = Mutex([Entry](repeating: Entry(), count: places))

    func knows(_ path: Span<UInt8>) -> Bool {
        let now = CoarseClock.now
        let place = place(of: path)
        return path.withUnsafeBufferPointer { path in
            entries.withLock { entries in
                guard now < entries[place].until, entries[place].path.count == path.count
                else { return false }
                return entries[place].path.withUnsafeBufferPointer { $0.elementsEqual(path) }
            }
        }
    }

    func remember(_ path: Span<UInt8>) {
        guard path.count <= Self.longest else { return }
        let until = CoarseClock.now.adding(seconds: Self.seconds)
        let place = place(of: path)
        path.withUnsafeBufferPointer { path in
            entries.withLock { entries in
                entries[place].path.removeAll(keepingCapacity: true)
                entries[place].path.append(contentsOf: path)
                entries[place].until = until
            }
        }
    }

    /// FNV-1a: paths that share a place only take turns.
    private func place(of path: Span<UInt8>) -> Int {
        var hash: UInt32 = 2_166_136_261
        for index in path.indices { hash = (hash ^ UInt32(path[index])) &* 16_777_619 }
        return Int(hash >> 8) & (Self.places - 1)
    }
}
