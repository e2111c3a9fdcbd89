// The lines of a host's access log that are not in their file yet.
// SPDX-License-Identifier: Apache-2.0

package import Platform

/// Memory in which a host gathers lines, made by its supervisor, who reads it when the host has died.
///
/// So a host may gather lines and write them in batches, and loses none when it is killed. A line counts
/// from the moment it is complete: `SharedRing.append` adds it as a whole.
package final class GatheredLines: Sendable {
    /// Several, so that threads that add lines at the same time do not meet.
    package static let ringCount = 4
    private static let ringSize = 256 * 1024
    private static let spacing = SharedRing.size(capacity: ringSize)

    package let rings: [SharedRing]

    /// The host's side: the memory it was started with.
    package init(mapping file: borrowing Descriptor) throws(SystemError) {
        var rings: [SharedRing] = []
        for index in 0..<Self.ringCount {
            rings.append(
                try SharedRing(
                    mapping: file.number, at: index * Self.spacing, capacity: Self.ringSize))
        }
        self.rings = rings
    }

    /// Lines that found no room in any ring, and of which no line of the error log tells yet. They are
    /// counted beside the first ring's positions, for the supervisor to tell of when the host cannot.
    package var lost: Int { rings[0].lost }
    package func countLost() { rings[0].countLost() }
    package func takeLost() -> Int { rings[0].takeLost() }

    /// Memory for a new host.
    package static func makeFile() throws(SystemError) -> Descriptor {
        try Files.memory(named: "mortise-lines", size: ringCount * spacing)
    }

    // MARK: The supervisor's side

    /// What a host that has died had not written.
    package struct Left: Sendable, Equatable {
        /// Whole lines. The first one may lack its beginning, which is in the file then.
        package var lines: [UInt8]
        /// Something of it could not be what a host leaves, and was not taken.
        package var isDamaged: Bool
        /// Lines that were lost before, and of which the host has not told.
        package var lost: Int

        package init(lines: [UInt8] = [], isDamaged: Bool = false, lost: Int = 0) {
            self.lines = lines
            self.isDamaged = isDamaged
            self.lost = lost
        }
    }

    /// The lines that are not in the log's file, in whose open file of the host's own the last write ended
    /// there; nil when it has no such place, as a pipe.
    ///
    /// No line is taken twice. Of a batch that was being written when the host died it is known how much the
    /// file has got, because nobody else moves the place in an open file of the host's own. Three cases are
    /// decided against the lines: of a pipe, what was being written counts as written (4 KiB at most);
    /// likewise of a file that is the server's standard output and was written by somebody else just then;
    /// and when the file took only part of a batch while another host wrote to it, that part is taken for
    /// larger than it is.
    package static func left(in file: Int32, logEnds: Int64?) -> Left {
        var left = Left()
        for index in 0..<ringCount {
            guard
                let rest = SharedRing.rest(in: file, at: index * spacing, capacity: ringSize)
            else {
                left.isDamaged = true
                continue
            }
            if index == 0 { left.lost = Int(clamping: rest.lost) }
            var lines = rest.bytes.dropFirst(written(of: rest, logEnds))
            let end = lines.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? lines.startIndex
            if end < lines.endIndex { left.isDamaged = true }
            lines = lines[..<end]
            left.lines.append(contentsOf: lines)
        }
        return left
    }

    private static func written(of rest: SharedRing.Rest, _ logEnds: Int64?) -> Int {
        guard rest.beingWritten > 0, let before = rest.fileEnd, let after = logEnds else {
            return rest.beingWritten
        }
        // Less than before: somebody has cut the file since, and written it has been.
        return after < before
            ? rest.beingWritten : Int(min(after - before, Int64(rest.beingWritten)))
    }
}
