// The first bytes of a request's body, where lpbData finds them.
// SPDX-License-Identifier: Apache-2.0

import CISAPI

/// Memory for the preloaded body of one call after the other, a few in turn, so that an extension that
/// kept lpbData past the end reads a later body only when it is much too late.
package struct Preload {
    /// The most of a body that lpbData holds: the default of UploadReadAheadSize.
    package static let largest = 48 * 1024

    private var memory: InlineArray<4, ReusedMemory> = .init(repeating: ReusedMemory())
    private var next = 0

    /// `nothing` is what lpbData points to when there is no body: a NUL of the call's own.
    mutating func fill(
        _ block: UnsafeMutablePointer<EXTENSION_CONTROL_BLOCK>, _ exchange: any ExtensionExchange,
        nothing: UnsafeMutableRawPointer
    ) {
        let length = exchange.bodyLength
        block.pointee.cbTotalBytes =
            length < 0 ? .max : DWORD(truncatingIfNeeded: min(length, 0xffff_ffff))
        block.pointee.lpbData = nothing.assumingMemoryBound(to: BYTE.self)
        guard length != 0 else { return }
        next = (next + 1) % memory.count
        let wanted = length < 0 ? Self.largest : Int(min(length, Int64(Self.largest)))
        // One byte more, for the NUL that some extensions rely on.
        let room = memory[next].room(wanted + 1)
        let filled = read(exchange, into: .init(rebasing: room[..<wanted]))
        room[filled] = 0
        memory[next].use(filled)
        block.pointee.cbAvailable = DWORD(filled)
        block.pointee.lpbData = room.baseAddress!.assumingMemoryBound(to: BYTE.self)
    }

    /// A body that has arrived is read up to the bound; of one that is still arriving, what is there.
    private func read(
        _ exchange: any ExtensionExchange, into room: UnsafeMutableRawBufferPointer
    ) -> Int {
        let isComplete = exchange.bodyIsComplete
        var filled = 0
        while filled < room.count {
            let rest = UnsafeMutableRawBufferPointer(rebasing: room[filled...])
            let count =
                isComplete ? exchange.readBody(into: rest) : exchange.readBodyNow(into: rest)
            if count <= 0 { break }
            filled += count
        }
        return filled
    }
}
