// A pipe whose writing end another process gets.
// SPDX-License-Identifier: Apache-2.0

import Platform

/// A pipe whose writing end another process gets.
struct CGIPipe: ~Copyable {
    let read: Descriptor
    let write: Descriptor

    init() throws(SystemError) {
        let ends = try Files.pipe()
        read = Descriptor(owning: ends.read)
        write = Descriptor(owning: ends.write)
    }

    consuming func closeWriting() -> Descriptor { read }
}
