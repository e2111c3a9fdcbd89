// A shared object as bytes: what can be known of it before the dynamic loader maps it.
// SPDX-License-Identifier: Apache-2.0

import Platform

/// What is wrong with a file that should be a shared object.
enum ELFProblem: Error {
    case notRegular
    case empty
    case notELF
    case not64Bit
    case wrongByteOrder
    case notSharedObject(type: UInt16)
    case wrongMachine(UInt16)
    case truncated
    case malformed(StaticString)
    case unreadable(SystemError)
}

/// The parts of an ELF file that decide whether it may be loaded (System V gABI, "Object Files").
///
/// The bytes are untrusted: all arithmetic on them is checked, and no more than the headers and the
/// dynamic section are read.
struct ELFFile {
    private struct Segment {
        var type: UInt32
        var offset: UInt64
        var address: UInt64
        var fileSize: UInt64
    }

    /// Names of the libraries it needs, in order (DT_NEEDED).
    private(set) var needed: [String] = []
    /// Folders to search for them (DT_RUNPATH, DT_RPATH).
    private(set) var searchPath = ""

    private let file: Int32
    private let size: UInt64
    private var segments: [Segment] = []

    /// Reads and checks an open regular file of `size` bytes.
    init(_ file: Int32, size: Int64) throws(ELFProblem) {
        self.file = file
        self.size = UInt64(max(0, size))
        if size == 0 { throw .empty }
        let header = try readHeader()
        try readSegments(header)
        try readDynamicSection()
    }

    private func readHeader() throws(ELFProblem) -> Bytes {
        let magic = try read(at: 0, count: Int(min(size, 64)))
        guard magic.count >= 4, magic[0] == 0x7f, magic[1] == UInt8(ascii: "E"),
            magic[2] == UInt8(ascii: "L"), magic[3] == UInt8(ascii: "F")
        else { throw .notELF }
        guard magic.count == 64 else { throw .truncated }
        guard magic[4] == 2 else { throw .not64Bit }
        guard magic[5] == 1 else { throw .wrongByteOrder }
        guard magic.word16(18) == Machine.number else { throw .wrongMachine(magic.word16(18)) }
        guard magic.word16(16) == 3 else { throw .notSharedObject(type: magic.word16(16)) }
        return magic
    }

    private mutating func readSegments(_ header: Bytes) throws(ELFProblem) {
        let count = Int(header.word16(56))
        guard header.word16(54) == 56 else { throw .malformed("unknown size of a program header") }
        guard count > 0, count <= 512 else {
            throw .malformed("unlikely number of program headers")
        }
        let table = try read(at: header.word64(32), count: count * 56)
        for index in 0..<count {
            let start = index * 56
            let segment = Segment(
                type: table.word32(start), offset: table.word64(start + 8),
                address: table.word64(start + 16), fileSize: table.word64(start + 32))
            let (end, overflow) = segment.offset.addingReportingOverflow(segment.fileSize)
            // What is mapped and not in the file would be a SIGBUS at its first use.
            if segment.type == 1 && (overflow || end > size) { throw .truncated }
            segments.append(segment)
        }
    }

    private mutating func readDynamicSection() throws(ELFProblem) {
        guard let dynamic = segments.first(where: { $0.type == 2 }) else {
            throw .malformed("no dynamic section")
        }
        guard dynamic.fileSize <= 1 << 20 else {
            throw .malformed("unlikely size of the dynamic section")
        }
        let table = try read(at: dynamic.offset, count: Int(dynamic.fileSize))
        var names: [UInt64] = []
        var paths: [UInt64] = []
        var strings: UInt64?
        var stringsSize: UInt64 = 0
        var start = 0
        while start + 16 <= table.count {
            let value = table.word64(start + 8)
            switch table.word64(start) {
            case 0: start = table.count
            case 1: names.append(value)
            case 5: strings = value
            case 10: stringsSize = value
            case 15, 29: paths.append(value)
            default: break
            }
            start += 16
        }
        guard let strings, let offset = fileOffset(of: strings), stringsSize <= 64 << 20 else {
            throw .malformed("no table of strings")
        }
        for name in names.prefix(1024) {
            needed.append(try string(at: offset, name, limit: stringsSize))
        }
        for path in paths.prefix(2) {
            searchPath = try string(at: offset, path, limit: stringsSize)
        }
    }

    private func fileOffset(of address: UInt64) -> UInt64? {
        for segment in segments where segment.type == 1 && address >= segment.address {
            let distance = address - segment.address
            // Checked before: offset + fileSize does not overflow.
            if distance < segment.fileSize { return segment.offset + distance }
        }
        return nil
    }

    private func string(
        at table: UInt64, _ offset: UInt64, limit: UInt64
    ) throws(ELFProblem) -> String {
        let (start, overflow) = table.addingReportingOverflow(offset)
        guard offset < limit, !overflow, start < size else {
            throw .malformed("a name outside its table")
        }
        let room = try read(at: start, count: Int(min(limit - offset, size - start, 4096)))
        guard let end = room.bytes.firstIndex(of: 0) else {
            throw .malformed("a name without an end")
        }
        return String(decoding: room.bytes[..<end], as: UTF8.self)
    }

    private func read(at offset: UInt64, count: Int) throws(ELFProblem) -> Bytes {
        guard offset <= size, UInt64(count) <= size - offset else { throw .truncated }
        var bytes = [UInt8](repeating: 0, count: count)
        var filled = 0
        do throws(SystemError) {
            while filled < count {
                let got = try bytes.withUnsafeMutableBytes { room in
                    let rest = UnsafeMutableRawBufferPointer(rebasing: room[filled...])
                    return Result { () throws(SystemError) in
                        try Files.read(file, into: rest, at: Int64(offset) + Int64(filled))
                    }
                }.get()
                if got == 0 { break }
                filled += got
            }
        } catch {
            throw .unreadable(error)
        }
        guard filled == count else { throw .truncated }
        return Bytes(bytes: bytes)
    }

    /// Little-endian numbers in bytes of known length.
    private struct Bytes {
        let bytes: [UInt8]
        var count: Int { bytes.count }
        subscript(_ index: Int) -> UInt8 { bytes[index] }
        func word16(_ at: Int) -> UInt16 { UInt16(bytes[at]) | UInt16(bytes[at + 1]) << 8 }
        func word32(_ at: Int) -> UInt32 { UInt32(word16(at)) | UInt32(word16(at + 2)) << 16 }
        func word64(_ at: Int) -> UInt64 { UInt64(word32(at)) | UInt64(word32(at + 4)) << 32 }
    }
}
