// The part of a response that waits in files for a slow client.
// SPDX-License-Identifier: Apache-2.0

import Platform

/// Two unnamed files, used in turn: while one is sent the other is filled, and a writer that had to wait
/// goes on when one of them is empty again, at half of the bound.
///
/// Decides only; who appends writes the files, who sends reads them.
struct ResponseSpool {
    private struct Half {
        /// -1 = not open yet.
        var file: Int32 = -1
        /// Bytes reserved in it, and of those not yet sent.
        var size: Int64 = 0
        var unsent: Int64 = 0
        /// A writer is at work in the file, which nobody else may close then.
        var isWritten = false
    }

    private var halves: (Half, Half) = (Half(), Half())
    private var current = 0

    /// What is to be done with bytes that memory has no room for.
    enum Step {
        case inMemory(Int)
        /// Write so many of them to that half at that offset.
        case write(half: Int, offset: Int64, count: Int)
        /// Both files are full: one has to be sent first.
        case full
        /// The host has no more to give.
        case overBudget
        case over
    }

    var isEmpty: Bool { halves.0.unsent == 0 && halves.1.unsent == 0 }
    var hasFreeHalf: Bool { halves.0.unsent == 0 || halves.1.unsent == 0 }
    var isOpen: Bool { halves.0.file >= 0 || halves.1.file >= 0 }

    func file(of half: Int) -> Int32? {
        let number = half == 0 ? halves.0.file : halves.1.file
        return number >= 0 ? number : nil
    }

    mutating func open(_ half: Int, _ number: Int32) { change(half) { $0.file = number } }

    /// A place for some of the bytes, at most half of `limit` in each file.
    mutating func reserve(_ count: Int, limit: Int64, budget: ByteBudget) -> Step {
        let most = limit / 2
        if self[current].size >= most, self[1 - current].unsent == 0, self[1 - current].size == 0 {
            current = 1 - current
        }
        let place = self[current]
        let admitted = min(Int64(count), most - place.size)
        guard admitted > 0 else { return .full }
        guard budget.take(admitted) else { return .overBudget }
        change(current) {
            $0.size += admitted
            $0.unsent += admitted
            $0.isWritten = true
        }
        return .write(half: current, offset: place.size, count: Int(admitted))
    }

    /// The write for which a place was reserved has ended.
    mutating func endWrite(_ half: Int) { change(half) { $0.isWritten = false } }

    /// The bytes reserved last could not be written.
    mutating func takeBack(_ count: Int, half: Int, budget: ByteBudget) {
        budget.give(Int64(count))
        change(half) {
            $0.size -= Int64(count)
            $0.unsent -= Int64(count)
        }
    }

    /// A run of a half has been sent. The half is empty when that was all of it.
    mutating func sent(_ count: Int64, half: Int, budget: ByteBudget) {
        change(half) { half in
            half.unsent -= count
            guard half.unsent == 0 else { return }
            budget.give(half.size)
            half.size = 0
            if half.file >= 0 { Files.empty(half.file) }
        }
    }

    /// The response is over. A file that is being written is left to its writer: its number could be
    /// another client's file by the time of the write.
    mutating func close(budget: ByteBudget) {
        for index in 0...1 {
            change(index) { half in
                budget.give(half.size)
                if half.file >= 0, !half.isWritten { closeDescriptor(half.file) }
                half = Half()
            }
        }
        current = 0
    }

    private subscript(_ index: Int) -> Half { index == 0 ? halves.0 : halves.1 }

    private mutating func change(_ index: Int, _ body: (inout Half) -> Void) {
        if index == 0 { body(&halves.0) } else { body(&halves.1) }
    }
}
